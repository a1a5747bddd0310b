"""Diagnoses and vectors from Python, and the files for the projector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.synthetic import minute, minutes, random_model

import faultprint as fp
from faultprint.embedding.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model()


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return pl.concat([minutes("north-1", 150, [(90, 120, "invite-errors")]), minutes("south-1", 100)])


@pytest.fixture(scope="module")
def embedded(frame: pl.DataFrame, model: Model) -> pl.DataFrame:
    return fp.embed(frame, model)


def test_diagnose_finds_the_fault_that_was_enrolled(frame: pl.DataFrame, model: Model) -> None:
    with fp.open_library(":memory:", create=True) as library:
        interval = (minute(90), minute(120))
        library.add([fp.enrol(frame, model, condition="invite-errors", interval=interval, node="north-1")])
        north, south = fp.diagnose(frame, model, library, confirm_minutes=1)
        verdicts = fp.identify(frame, model, library, confirm_minutes=1)
        library.references()  # a library that was given stays open
    assert [north.series.node, south.series.node] == ["north-1", "south-1"]
    assert "invite-errors" in {found.incident.condition for found in north.incidents}
    assert north.judged is not None
    assert north.judged.verdicts.equals(verdicts.filter(node="north-1"))


def test_diagnose_needs_neither_a_model_nor_a_library(frame: pl.DataFrame) -> None:
    assert [found.observed for found in fp.diagnose(frame.to_arrow())] == [150, 100]


def test_embed_gives_the_windows_from_the_baseline(frame: pl.DataFrame, model: Model, embedded: pl.DataFrame) -> None:
    vectors = embedded["vector"].to_numpy()
    assert vectors.shape == (len(embedded), model.dimensions) and vectors.dtype == np.float32
    assert embedded.columns == ["node", "network", "minute", "vector"]
    assert embedded["minute"].max() == minute(149)
    fault = (
        embedded["minute"].is_between(minute(100), minute(119)).to_numpy() & (embedded["node"] == "north-1").to_numpy()
    )
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.median(lengths[fault]) > np.median(lengths[(embedded["node"] == "south-1").to_numpy()])


def test_the_reference_of_an_interval_is_the_mean_of_its_vectors(
    frame: pl.DataFrame, model: Model, embedded: pl.DataFrame
) -> None:
    reference = fp.enrol(frame, model, condition="a", interval=(minute(90), minute(120)), node="north-1")
    rows = embedded.filter(pl.col("minute").is_between(minute(99), minute(149)), node="north-1")
    mean = rows["vector"].to_numpy().astype(np.float64)[: reference.windows].mean(axis=0)
    np.testing.assert_allclose(reference.vector, mean, rtol=1e-4, atol=1e-6)


def test_the_projector_reads_one_line_a_window(embedded: pl.DataFrame, tmp_path: Path) -> None:
    named = embedded.with_columns(node=pl.col("node") + "\t\n")
    labels = pl.DataFrame(
        {"node": ["north-1\t\n"], "start": [minute(90)], "end": [minute(120)], "condition": ["invite-errors"]}
    )
    folder = fp.export_projector(tmp_path / "new" / "projector", named, labels)
    assert sorted(path.name for path in folder.iterdir()) == ["metadata.tsv", "vectors.tsv"]
    np.testing.assert_array_equal(
        np.loadtxt(folder / "vectors.tsv", dtype=np.float32, delimiter="\t"), embedded["vector"].to_numpy()
    )
    rows = [line.split("\t") for line in (folder / "metadata.tsv").read_text(encoding="utf-8").splitlines()]
    assert rows[0] == ["node", "network", "minute", "condition"]
    assert {row[0] for row in rows[1:]} == {"north-1\\x09\\x0a", "south-1\\x09\\x0a"}
    assert [row[2] for row in rows[1:]] == [moment.isoformat() for moment in embedded["minute"]]
    labelled = [row[2] for row in rows[1:] if row[3] == "invite-errors"]
    assert labelled == [minute(number).isoformat() for number in range(90, 120)]
    again = fp.export_projector(folder, embedded.head(0))
    assert (again / "metadata.tsv").read_text(encoding="utf-8") == "node\tnetwork\tminute\n"


@pytest.mark.parametrize(
    ("embedded", "sentence"),
    [
        ("vectors", "must be a table"),
        (pl.DataFrame({"node": ["a"]}), "lacks column 'network'"),
        (pl.DataFrame({"node": "a", "network": "b", "minute": [minute(0)], "vector": [1]}), "has no vectors"),
        (
            pl.DataFrame({"node": "a", "network": "b", "minute": [minute(0)] * 2, "vector": [[1.0], [1.0, 2]]}),
            "unequal",
        ),
    ],
)
def test_other_tables_are_refused_before_anything_is_written(embedded: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(fp.FaultprintError, match=sentence):
        fp.export_projector(tmp_path / "projector", embedded)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(embedded: pl.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for place in (tmp_path / "file", tmp_path / "file" / "inside", "", None):
        with pytest.raises(fp.UsageError):
            fp.export_projector(place, embedded)  # type: ignore[arg-type]
    assert (tmp_path / "file").read_text() == "kept"
