"""What people see on a terminal holds no control and no invisible character, whatever a file says."""

from __future__ import annotations

import json
import sqlite3
import sys
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint import cli
from faultprint.cases.library import Library
from faultprint.cases.reference import Reference
from faultprint.display import visible, visible_json
from faultprint.monitor.state.store import Store
from faultprint.publish import incident_codec
from faultprint.publish.incident import Incident, Severity

NASTY = "evil\x1b]0;owned\x07\x1b[2J\rname\n\x9b31m\u202egnp\u2066\u200b\x7f\x00"
HOUR = datetime(2026, 1, 5, 12, tzinfo=UTC)


def clean(text: str) -> bool:
    return all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)


@given(st.text())
def test_visible_text_has_no_control_and_keeps_the_rest(text: str) -> None:
    shown = visible(text)
    assert clean(shown) and "\n" not in shown
    assert shown == text or not clean(text) or not text.isprintable()
    assert "\x7f" not in visible_json(json.dumps(text)) and json.loads(visible_json(json.dumps(text))) == text


def test_lines_and_tabs_of_our_own_stay() -> None:
    assert visible("a\n\tb\x1b", lines=True) == "a\n\tb\\x1b"
    assert visible("Zürich 回線 отказ") == "Zürich 回線 отказ"


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What a command prints on both streams."""
    monkeypatch.setattr(sys, "argv", ["faultprint", *words])
    with pytest.raises(SystemExit):
        cli.main()
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_commands_that_show_names_print_no_control_character(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases, state = str(tmp_path / "cases.db"), tmp_path / "state.db"
    name = NASTY.replace("\0", "")
    reference = Reference("down", np.ones(4, np.float32), name, name, name, HOUR, HOUR + timedelta(1), 3, HOUR, name)
    with Library.open(cases, create=True) as library:
        library.add([reference])
    with Store(state) as store:
        store.save_commands([Incident.begin(name, name, name, Severity.MAJOR, 60_000_000, 60_000_000)], [])
        (identity,) = (str(incident.identity) for incident in store.incidents())
    for words in (
        ("cases", "list", "--library", cases),
        ("cases", "show", reference.id, "--library", cases),
        ("cases", "remove", reference.id, "--library", cases),
        ("incidents", "list", "--state", str(state)),
        ("incidents", "show", identity, "--state", str(state)),
    ):
        for form in ((), ("--json",)):
            if words[1] == "remove" and form:
                continue
            shown = said(capsys, monkeypatch, *words, *form)
            assert clean(shown) and ("evil" in shown or "down" in shown), words


@pytest.mark.parametrize(
    "words", [("cases", "show", NASTY), ("cases", NASTY), (NASTY,), ("cases", "list", f"--{NASTY}")]
)
def test_errors_print_no_control_character(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library.open(tmp_path / "c.db", create=True):
        pass
    more = ("--library", str(tmp_path / "c.db")) if words[1:2] == ("show",) else ()
    shown = said(capsys, monkeypatch, *words, *more)
    assert "evil" in shown and clean(shown)


def test_a_stored_incident_with_controls_is_shown_in_escapes(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    incident = Incident.begin("n", "net", "c", Severity.MAJOR, 60_000_000, 60_000_000)
    with Store(state) as store:
        store.save_commands([incident], [])
    with sqlite3.connect(state) as connection:
        document = incident_codec.dump(incident).replace('"n"', json.dumps(NASTY))
        connection.execute("UPDATE incident SET document = ?", (document,))
    from click.testing import CliRunner

    from faultprint.cli.incidents import list_

    result = CliRunner().invoke(list_, ["--state", str(state)])
    assert clean(result.output)
