"""Wrong arguments of the public functions: one sentence each, and tables of other libraries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.synthetic import START, minutes, random_model

import faultprint as fp
from faultprint.embedding.model import Model

PAIR = ("2026-01-05T10:30", "2026-01-05T11:00")


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model()


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return minutes("north-1", 150, [(90, 120, "invite-errors")])


Call = Callable[[pl.DataFrame, Model, fp.Library], Any]


def _enrol(frame: Any, model: Any, library: Any = None, **more: Any) -> Any:
    chosen: dict[str, Any] = {"condition": "hss-link-down", "interval": PAIR} | more
    return fp.enrol(frame, model, library=library, **chosen)


WRONG: dict[str, tuple[Call, str]] = {
    "minutes as a path": (lambda f, m, lib: fp.identify("minutes.parquet", m, lib), "minutes .* must be a table; pass"),  # type: ignore[arg-type]
    "minutes as None": (lambda f, m, lib: fp.identify(None, m, lib), "minutes is None .* must be a table"),  # type: ignore[arg-type]
    "minutes as a class": (lambda f, m, lib: fp.identify(pl.DataFrame, m, lib), "must be a table"),  # type: ignore[arg-type]
    "minutes as a column": (lambda f, m, lib: fp.identify(f["node"], m, lib), "must be a table"),
    "minutes as a dict": (lambda f, m, lib: fp.identify({"node": []}, m, lib), "must be a table"),  # type: ignore[arg-type]
    "minutes without a node": (lambda f, m, lib: fp.identify(f.drop("node"), m, lib), "minutes lacks column 'node'"),
    "minutes without a feature": (lambda f, m, lib: fp.identify(f.drop("node.ser"), m, lib), "lacks column 'node.ser'"),
    "feature as text": (
        lambda f, m, lib: fp.identify(f.with_columns(pl.col("node.ser").cast(pl.String)), m, lib),
        "column 'node.ser' is String",
    ),
    "node as a number": (lambda f, m, lib: fp.identify(f.with_columns(node=pl.lit(1)), m, lib), "column 'node' is"),
    "minute as text": (lambda f, m, lib: fp.identify(f.with_columns(minute=pl.lit("9")), m, lib), "column 'minute' is"),
    "node missing in a row": (
        lambda f, m, lib: fp.identify(f.with_columns(node=pl.lit(None, pl.String)), m, lib),
        "column 'node' lacks a value",
    ),
    "labels as a list": (lambda f, m, lib: fp.evaluate(f, [], m, lib), "labels is .* must be a table"),  # type: ignore[arg-type]
    "labels without a start": (
        lambda f, m, lib: fp.evaluate(f, f.select("node"), m, lib),
        "labels lacks column 'start'",
    ),
    "model as a path": (lambda f, m, lib: fp.identify(f, "m.faultprint", lib), "model is .* pass what fp.load_model"),  # type: ignore[arg-type]
    "library as a path": (lambda f, m, lib: fp.identify(f, m, "cases.db"), "library is .* pass what fp.open_library"),  # type: ignore[arg-type]
    "baseline as text": (lambda f, m, lib: fp.identify(f, m, lib, baseline="first"), "baseline is .* pass fp.Baseline"),  # type: ignore[arg-type]
    "no confirmation": (lambda f, m, lib: fp.identify(f, m, lib, confirm_minutes=0), "confirm_minutes is 0"),
    "confirmation as text": (lambda f, m, lib: fp.identify(f, m, lib, confirm_minutes="3"), "whole number"),  # type: ignore[arg-type]
    "condition as a number": (lambda f, m, lib: _enrol(f, m, condition=5), "condition is 5"),
    "node as a number in enrol": (lambda f, m, lib: _enrol(f, m, node=5), "node is 5"),
    "interval as text": (lambda f, m, lib: _enrol(f, m, interval="ab"), "must be a pair of times"),
    "interval of three": (lambda f, m, lib: _enrol(f, m, interval=(*PAIR, PAIR[0])), "must be a pair of times"),
    "interval as None": (lambda f, m, lib: _enrol(f, m, interval=None), "must be a pair of times"),
    "interval backwards": (lambda f, m, lib: _enrol(f, m, interval=PAIR[::-1]), "not after its start"),
    "moment as a number": (lambda f, m, lib: _enrol(f, m, interval=(1, 2)), "interval is 1 .* must be a time"),
    "moment as a date": (lambda f, m, lib: _enrol(f, m, interval=(date(2026, 1, 5), PAIR[1])), "must be a time"),
    "moment in words": (lambda f, m, lib: _enrol(f, m, interval=("noon", PAIR[1])), "'noon' is no time in ISO 8601"),
    "baseline in words": (lambda f, m, lib: fp.Baseline.interval("noon", "one"), "'noon' is no time"),
    "baseline of numbers": (lambda f, m, lib: fp.Baseline.interval(1, 2), "must be a time"),  # type: ignore[arg-type]
    "baseline backwards": (lambda f, m, lib: fp.Baseline.interval(*PAIR[::-1]), "not after its start"),
    "baseline of one text": (lambda f, m, lib: fp.Baseline.intervals({"n": "ab"}), "pair of times"),  # type: ignore[dict-item]
    "baselines as a list": (lambda f, m, lib: fp.Baseline.intervals([PAIR]), "by_node is"),  # type: ignore[arg-type]
    "negative length": (lambda f, m, lib: fp.Baseline.first(-60), "minutes is -60"),
    "length as text": (lambda f, m, lib: fp.Baseline.robust("60"), "minutes is '60'"),  # type: ignore[arg-type]
    "length with a fraction": (lambda f, m, lib: fp.Baseline.first(60.5), "minutes is 60.5"),  # type: ignore[arg-type]
    "negative alarms": (
        lambda f, m, lib: fp.calibrate(f, _labels(), m, lib, max_false_alarms=-1),
        "max_false_alarms is -1",
    ),
    "alarms not a number": (
        lambda f, m, lib: fp.calibrate(f, _labels(), m, lib, max_false_alarms=float("nan")),
        "max_false_alarms is nan",
    ),
    "capture as a number": (lambda f, m, lib: fp.probe_captures(3, "t", nodes="n"), "captures is 3 .* must be a list"),  # type: ignore[arg-type]
    "capture as None": (lambda f, m, lib: fp.probe_captures([None], "t", nodes="n"), "captures holds None"),  # type: ignore[list-item]
    "capture as a folder": (lambda f, m, lib: fp.probe_captures(".", "t", nodes="n"), "captures is the folder"),
    "node list of numbers": (lambda f, m, lib: fp.probe_captures("a", "t", nodes=[1]), "nodes holds 1"),  # type: ignore[list-item]
    "peers as a list": (lambda f, m, lib: fp.probe_captures("a", "t", nodes="n", peers=["Mw"]), "must be a mapping"),  # type: ignore[arg-type]
    "peers as text": (lambda f, m, lib: fp.probe_captures("a", "t", nodes="n", peers="Mw"), "must be a mapping"),  # type: ignore[arg-type]
    "peers of numbers": (lambda f, m, lib: fp.probe_captures("a", "t", nodes="n", peers={"a": 1}), "peers holds 1"),  # type: ignore[dict-item]
    "network as None": (lambda f, m, lib: fp.probe_captures("a", "t", nodes="n", network=None), "network is None"),  # type: ignore[arg-type]
    "interval of no seconds": (
        lambda f, m, lib: fp.build_minutes("t", "m", interval_seconds=0),
        "interval_seconds is 0",
    ),
    "negative seconds": (lambda f, m, lib: fp.build_minutes("t", "m", interval_seconds=-60), "interval_seconds is -60"),
    "half a second": (lambda f, m, lib: fp.build_minutes("t", "m", interval_seconds=0.5), "whole number"),  # type: ignore[arg-type]
    "true seconds": (lambda f, m, lib: fp.build_minutes("t", "m", interval_seconds=True), "whole number"),
    "endless seconds": (lambda f, m, lib: fp.build_minutes("t", "m", interval_seconds=10**30), "must be from 1 to"),
    "array of seconds": (lambda f, m, lib: fp.build_minutes("t", "m", interval_seconds=np.ones(2)), "whole number"),  # type: ignore[arg-type]
    "path as a number": (lambda f, m, lib: fp.read_minutes(7), "path is 7 .* must be a path"),  # type: ignore[arg-type]
    "path as None": (lambda f, m, lib: fp.read_labels(None), "path is None .* must be a path"),  # type: ignore[arg-type]
    "path as bytes": (lambda f, m, lib: fp.load_model(b"m"), "must be a path"),  # type: ignore[arg-type]
    "empty path": (lambda f, m, lib: fp.load_model(""), "which is no path"),
    "path with a zero": (lambda f, m, lib: fp.read_minutes("a\0b"), "which is no path"),
    "folder as minutes": (lambda f, m, lib: fp.read_minutes(Path()), "path is the folder"),
    "folder as a library": (lambda f, m, lib: fp.open_library("."), "path is the folder"),
    "stream of text": (lambda f, m, lib: fp.Stream(m, lib).push("rows"), "rows is .* must be a table"),  # type: ignore[arg-type]
}


def _labels() -> pl.DataFrame:
    moments = {"start": [START], "end": [datetime(2026, 1, 5, 10, tzinfo=UTC)]}
    return pl.DataFrame({"node": ["north-1"], **moments, "condition": ["normal"]})


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_one_sentence(name: str, frame: pl.DataFrame, model: Model) -> None:
    call, sentence = WRONG[name]
    with (
        fp.open_library(":memory:", create=True) as library,
        pytest.raises(fp.FaultprintError, match=sentence) as caught,
    ):
        library.add([_enrol(frame, model)])
        call(frame, model, library)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 300


class Foreign:
    """A table of another library: nothing but the Arrow PyCapsule interface."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


class Broken:
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        raise RuntimeError("the connection is closed")


@pytest.mark.parametrize(
    "variant",
    [
        lambda f: Foreign(f),
        lambda f: f.to_arrow(),
        lambda f: f.lazy(),
        lambda f: Foreign(f.with_columns(pl.col("minute").dt.replace_time_zone(None).cast(pl.Datetime("ns")))),
        lambda f: f.with_columns(
            pl.col("minute").dt.convert_time_zone("Europe/Berlin").cast(pl.Datetime("ms", "Asia/Tokyo"))
        ),
        lambda f: f.with_columns(pl.selectors.float().cast(pl.Float64)),
        lambda f: f.with_columns(pl.col("node", "network").cast(pl.Categorical), more=pl.lit("x")),
    ],
    ids=["capsule", "arrow", "lazy", "naive-ns", "zoned-ms", "float64", "categorical"],
)
def test_the_same_table_in_other_forms_gives_the_same_verdicts(
    variant: Callable[[pl.DataFrame], Any], frame: pl.DataFrame, model: Model
) -> None:
    with fp.open_library(":memory:", create=True) as library:
        library.add([_enrol(frame, model)])
        wanted = fp.identify(frame, model, library)
        assert fp.identify(variant(frame), model, library).equals(wanted)
        streamed = fp.Stream(model, library).push(frame)
        assert fp.Stream(model, library).push(variant(frame)).equals(streamed)


def test_a_table_that_its_library_cannot_export_is_refused(model: Model) -> None:
    with (
        fp.open_library(":memory:", create=True) as library,
        pytest.raises(fp.TableError, match=r"cannot be read as a table .*the connection is closed"),
    ):
        fp.identify(Broken(), model, library)


def test_labels_need_no_severity(frame: pl.DataFrame, model: Model) -> None:
    with fp.open_library(":memory:", create=True) as library:
        library.add([_enrol(frame, model)])
        assert "conditions" in fp.evaluate(frame, Foreign(_labels()), model, library)


def test_texts_of_a_baseline_are_utc(frame: pl.DataFrame, model: Model) -> None:
    texts = fp.Baseline.interval("2026-01-05T09:00", "2026-01-05T11:00+01:00")
    assert texts == fp.Baseline.interval(START, datetime(2026, 1, 5, 10))
    with fp.open_library(":memory:", create=True) as library:
        library.add([_enrol(frame, model)])
        assert len(fp.identify(frame, model, library, baseline=texts)) == 150


@pytest.mark.parametrize("one", [str, Path])
def test_one_capture_and_one_node_need_no_list(one: Callable[[str], Any], tmp_path: Path) -> None:
    missing = one(str(tmp_path / "missing.pcap"))
    with pytest.raises(fp.CaptureError, match=r"missing\.pcap"):
        fp.probe_captures(missing, tmp_path / "t.parquet", nodes="pcscf1=10.0.0.5", key_file=tmp_path / "key")
