"""The model file: what is written is read again, and any other content is refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultprint.embedding.model import load_model
from faultprint.embedding.model_file import MANIFEST, MAX_MEMBER_BYTES, ModelArtifact, read_artifact, write_artifact
from faultprint.errors import ModelError, UsageError


def rewritten(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The file with its manifest changed by `change`."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members[MANIFEST])
    change(manifest)
    members[MANIFEST] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_written_artifact_is_read_back_equal_and_gives_the_same_bytes(
    pooled: ModelArtifact, saved: Path, tmp_path: Path
) -> None:
    again = read_artifact(saved)
    assert again.id == pooled.id
    assert again.manifest.to_json() == pooled.manifest.to_json()
    assert again.graphs == pooled.graphs
    write_artifact(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def test_the_id_depends_on_graphs_and_manifest(pooled: ModelArtifact, recurrent: ModelArtifact) -> None:
    other = ModelArtifact(pooled.manifest, {**pooled.graphs, "head.onnx": b"other"})
    assert len({pooled.id, recurrent.id, other.id}) == 3


def test_stored_names_of_presets_do_not_change(recurrent: ModelArtifact, tmp_path: Path) -> None:
    """The id of every model in use hashes the stored name."""
    write_artifact(recurrent, tmp_path / "model")
    again = read_artifact(tmp_path / "model")
    assert json.loads(again.manifest.to_json())["preset"] == "posts"
    assert again.manifest.preset == recurrent.manifest.preset == "reference-lstm"
    assert again.id == recurrent.id


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m.update(format=2), "has format 2, but this version of Faultprint reads format 1"),
        (lambda m: m.update(surprise=1), "unknown field 'surprise'"),
        (lambda m: m.pop("window"), "lacks the field 'window'"),
        (lambda m: m.update(window="60"), "window is '60'"),
        (lambda m: m.update(window=0), "window is 0"),
        (lambda m: m.update(dimensions=True), "dimensions is True"),
        (lambda m: m.update(encoder="magic"), "encoder is 'magic'"),
        (lambda m: m.update(spans=[1, 99]), "spans and population"),
        (lambda m: m.update(population=None), "spans and population"),
        (lambda m: m["population"].update(centre=[0.0]), "centre must be 132 finite numbers"),
        (lambda m: m["catalogue"]["features"].pop(), "does not match its own hash"),
        (lambda m: m["catalogue"].update(features="x"), "catalogue cannot be read"),
        (lambda m: m.update(training={"loss": float("nan")}), "manifest is not JSON"),
    ],
)
def test_a_foreign_manifest_is_refused(saved: Path, change: Callable[[dict[str, Any]], Any], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        read_artifact(rewritten(saved, change))


def test_a_missing_file_a_folder_and_other_content_are_refused(tmp_path: Path, pooled: ModelArtifact) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        read_artifact(tmp_path / "absent")
    for name, content in (("empty", b""), ("text", b"hello"), ("head", b"PK\x03\x04")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match="is not a model file, or it is damaged"):
            read_artifact(tmp_path / name)
    with pytest.raises(ModelError, match="is not a model file"):
        read_artifact(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        write_artifact(pooled, tmp_path / "nowhere" / "model")
    assert not list(tmp_path.glob(".*"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_gives_a_model_error_or_loads(saved: Path, data: st.DataObject) -> None:
    whole = saved.read_bytes()
    length = data.draw(st.integers(0, len(whole) - 1), label="truncated at")
    damaged = saved.with_name("damaged")
    damaged.write_bytes(whole[:length])
    with pytest.raises(ModelError):
        read_artifact(damaged)
    position, byte = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    damaged.write_bytes(whole[:position] + bytes([byte]) + whole[position + 1 :])
    try:
        read_artifact(damaged)
    except ModelError as error:
        assert str(error).endswith(".")


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, b"\0" * (MAX_MEMBER_BYTES + 1))
    assert path.stat().st_size < 200_000
    with pytest.raises(ModelError, match="compressed or larger than 64 MiB"):
        read_artifact(path)


def test_unexpected_and_missing_members_are_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("model.pkl", b"")
    with pytest.raises(ModelError, match=r"holds 'model\.pkl'"):
        read_artifact(saved)
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr("head.onnx", b"")
    with pytest.raises(ModelError, match=r"has no manifest\.json"):
        read_artifact(saved)


def test_a_damaged_or_wrong_graph_is_refused(pooled: ModelArtifact, tmp_path: Path) -> None:
    path = tmp_path / "model"
    write_artifact(ModelArtifact(pooled.manifest, {**pooled.graphs, "head.onnx": b"\x08\x08"}), path)
    with pytest.raises(ModelError, match=r"head\.onnx is refused: it holds 0 graphs"):
        load_model(path)
    write_artifact(ModelArtifact(pooled.manifest, {**pooled.graphs, "head.onnx": pooled.graphs["minute.onnx"]}), path)
    with pytest.raises(ModelError, match="dimensions"):
        load_model(path)
    write_artifact(ModelArtifact(pooled.manifest, {**pooled.graphs, "minute.onnx": pooled.graphs["head.onnx"]}), path)
    with pytest.raises(ModelError, match=r"minute\.onnx turns .* numbers into .* dimensions, but its manifest needs"):
        load_model(path)
