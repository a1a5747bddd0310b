"""A signed model: accepted with its key, refused with another, when altered, and when unsigned."""

from __future__ import annotations

import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from faultprint.cli import cli
from faultprint.embedding import signature
from faultprint.embedding.model import load_model
from faultprint.embedding.model_file import SIGNATURE, ModelArtifact, read_artifact, write_artifact
from faultprint.errors import ModelError, UsageError
from faultprint.monitor.config import settings

Keys = dict[str, Path]


def openssl(*words: str | Path) -> None:
    try:
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed here")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Two key pairs as the documentation makes them, and a key of another kind."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "others"):
        openssl("genpkey", "-algorithm", "ed25519", "-out", folder / f"{name}.pem")
        openssl("pkey", "-in", folder / f"{name}.pem", "-pubout", "-out", folder / f"{name}.pub")
    openssl("genpkey", "-algorithm", "ed448", "-out", folder / "ed448.pem")
    (folder / "text").write_text("no key")
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture
def signed(saved: Path, keys: Keys) -> Path:
    write_artifact(signature.sign(read_artifact(saved), keys["ours.pem"]), saved)
    return saved


def test_the_key_accepts_and_the_id_stays(pooled: ModelArtifact, signed: Path, keys: Keys) -> None:
    assert load_model(signed, keys=[keys["others.pub"], keys["ours.pub"]]).id == pooled.id
    assert load_model(signed).id == pooled.id


def test_another_key_an_altered_file_and_no_signature_are_refused(
    pooled: ModelArtifact, signed: Path, keys: Keys
) -> None:
    with pytest.raises(ModelError, match="by none of the keys"):
        load_model(signed, keys=[keys["others.pub"]])
    artifact = read_artifact(signed)
    changed = replace(artifact, manifest=replace(artifact.manifest, training={"seed": 2}))
    write_artifact(changed, signed)
    with pytest.raises(ModelError, match="or the file was altered"):
        load_model(signed, keys=[keys["ours.pub"]])
    write_artifact(pooled, signed)
    with pytest.raises(ModelError, match="is not signed"):
        load_model(signed, keys=[keys["ours.pub"]])


def test_a_signature_of_another_length_is_refused(signed: Path) -> None:
    with zipfile.ZipFile(signed, "a") as archive:
        archive.writestr("window.onnx", b"")
    with pytest.raises(ModelError, match="unexpected member"):
        read_artifact(signed)
    short = replace(read_artifact_of(signed), signature=b"short")
    write_artifact(short, signed)
    with pytest.raises(ModelError, match="has 5 bytes, not 64"):
        read_artifact(signed)


def read_artifact_of(path: Path) -> ModelArtifact:
    """The artifact without the members that do not belong to it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "window.onnx"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert SIGNATURE in members
    return read_artifact(path)


@pytest.mark.parametrize("name", ["text", "ed448.pem", "ours.pub"])
def test_a_file_that_is_no_private_key_is_refused(pooled: ModelArtifact, keys: Keys, name: str) -> None:
    with pytest.raises(UsageError, match=r"no private Ed25519 key.*openssl genpkey"):
        signature.sign(pooled, keys[name])


@pytest.mark.parametrize("name", ["text", "ours.pem"])
def test_a_file_that_is_no_public_key_is_refused(signed: Path, keys: Keys, name: str) -> None:
    with pytest.raises(UsageError, match="no public Ed25519 key"):
        load_model(signed, keys=[keys[name]])
    with pytest.raises(UsageError, match="cannot be read"):
        load_model(signed, keys=[keys["text"].with_name("absent")])


def test_the_command_signs_and_shows(saved: Path, keys: Keys, tmp_path: Path) -> None:
    out = tmp_path / "signed.faultprint"
    run = CliRunner().invoke
    assert run(cli, ["model", "sign", str(saved), "--key", str(keys["ours.pem"]), "--out", str(out)]).exit_code == 0
    assert "signed: True" in run(cli, ["model", "show", str(out)]).output
    assert '"signed": false' in run(cli, ["model", "show", str(saved), "--json"]).output


def test_a_monitor_may_require_a_signature(tmp_path: Path) -> None:
    config = tmp_path / "m.toml"
    config.write_text('model = "m"\nlibrary = "l"\nstate = "s"\nmodel_keys = ["ours.pub"]\n')
    assert settings.read(config).model_keys == (tmp_path / "ours.pub",)
