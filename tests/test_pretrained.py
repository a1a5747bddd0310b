"""The files in the box belong together, and count where nothing else is given."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.synthetic import minute, minutes

from faultprint import pretrained
from faultprint.cases.library import Library
from faultprint.cli import cli
from faultprint.embedding.model import load_model
from faultprint.errors import UsageError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.features.minutes import write_minutes
from faultprint.pretrained import defaults
from faultprint.pretrained.conditions import condition_texts, title
from faultprint.tables import NO_TRAFFIC, NORMAL, UNKNOWN

CARD = json.loads(pretrained.CARD.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any configuration."""
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", defaults.MODEL_VARIABLE, defaults.LIBRARY_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_card_model_library_and_code_belong_together() -> None:
    model = load_model(pretrained.MODEL)
    assert (CARD["model"], CARD["catalogue"]) == (model.id, SIP_CATALOGUE.hash)
    for path in (pretrained.MODEL, pretrained.LIBRARY):
        assert CARD["sha256"][path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    with Library.open(pretrained.LIBRARY) as library:
        references = library.for_model(model.id, model.dimensions)
        assert library.rule(model.id, CARD["recipe"]["confirm_minutes"]) is not None
    assert Counter(reference.condition for reference in references) == CARD["references"]
    assert {*CARD["training"]["conditions"]} == {NORMAL, *CARD["references"]}


def test_each_fault_has_several_references_with_their_origin_and_a_text() -> None:
    with Library.open(pretrained.LIBRARY) as library:
        references = library.references()
    origins = {(reference.condition, reference.comment.partition(",")[0]) for reference in references}
    for condition, count in CARD["references"].items():
        assert count >= 3
        assert {(condition, "simulator"), (condition, "test bed")} <= origins
    assert condition_texts().keys() == CARD["references"].keys() | {UNKNOWN, NO_TRAFFIC}
    assert title("hss-link-down") == "Link to the HSS lost" and title("cable-in-munich") == "cable-in-munich"


def test_the_library_opens_where_nothing_can_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "installed"
    folder.mkdir()
    shutil.copy(pretrained.LIBRARY, folder)
    folder.chmod(0o555)
    try:
        with Library.open(folder / pretrained.LIBRARY.name) as library:
            assert library.references()
    finally:
        folder.chmod(0o755)
    assert [path.name for path in folder.iterdir()] == [pretrained.LIBRARY.name]


def test_the_first_of_environment_configuration_own_library_and_box_counts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert defaults.default_model() == pretrained.MODEL
    assert defaults.default_library() == pretrained.LIBRARY
    own = home / ".local/share/faultprint/library.db"
    assert defaults.changed_library() == own
    defaults.seed_own_library(own)
    assert defaults.default_library() == own and own.read_bytes() == pretrained.LIBRARY.read_bytes()
    config = home / ".config/faultprint/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('model = "m.faultprint"\nlibrary = "/srv/team.db"\n')
    assert defaults.default_model() == config.parent / "m.faultprint"
    assert defaults.default_library() == defaults.changed_library() == Path("/srv/team.db")
    monkeypatch.setenv(defaults.LIBRARY_VARIABLE, "/srv/other.db")
    assert defaults.default_library() == Path("/srv/other.db")


@pytest.mark.parametrize(
    ("text", "says"),
    [("model = 5\n", "must be a path"), ("modell = 'x'\n", "unknown key 'modell'"), ("model = \n", "as TOML")],
)
def test_a_wrong_configuration_is_named(home: Path, text: str, says: str) -> None:
    config = home / ".config/faultprint/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(text)
    with pytest.raises(UsageError, match=says):
        defaults.default_model()


def test_another_library_is_not_seeded(home: Path) -> None:
    defaults.seed_own_library(home / "other.db")
    assert not (home / "other.db").exists()


def test_identify_and_enrol_work_without_any_file_named(home: Path) -> None:
    write_minutes(minutes("beta-1", 140, [(100, 130, "bye-slow")], seed=2), home / "minutes.parquet")
    run = CliRunner()
    arguments = ["identify", str(home / "minutes.parquet"), "--out", str(home / "verdicts.parquet")]
    assert run.invoke(cli, arguments, catch_exceptions=False).exit_code == 0
    interval = ["--condition", "bye-slow", "--interval", f"{minute(100).isoformat()}/{minute(130).isoformat()}"]
    baseline = ["--baseline", f"{minute(0).isoformat()}/{minute(70).isoformat()}"]
    words = ["cases", "enrol", str(home / "minutes.parquet"), *interval, *baseline]
    taught = run.invoke(cli, words, catch_exceptions=False)
    assert taught.exit_code == 0, taught.output
    with Library.open(home / ".local/share/faultprint/library.db") as library:
        assert len(library.references()) == sum(CARD["references"].values()) + 1
