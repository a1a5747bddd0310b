"""The whole way on small, fixed data, through the command line, and digests of what each stage leaves."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import polars as pl
from click.testing import CliRunner
from tests.synthetic import minute, minutes

from faultprint import storage
from faultprint.cli import cli
from faultprint.embedding.model import load_model
from faultprint.features.minutes import write_minutes
from faultprint.tables import VERDICTS

HERE: Final = Path(__file__).parent
STORED: Final = HERE / "stored"
EXPECTED: Final = HERE / "expected.json"
_SINKS: Final = """
[[sink]]
name = "lines"
kind = "file"
path = "lines.jsonl"
[[sink]]
name = "ves"
kind = "ves"
url = "http://192.0.2.1/"
[[sink]]
name = "hook"
kind = "webhook"
url = "http://192.0.2.1/hook"
"""


STORED_MINUTES: Final = 210
"""How far the stored state has come."""


def traffic(last: int = 270) -> pl.DataFrame:
    """Three nodes with faults, gaps and different ends, up to a minute."""
    table = pl.concat(
        [
            minutes("beta-1", 270, [(100, 130, "bye-slow"), (200, 240, "register-timeouts")], seed=2),
            minutes("beta-2", 270, [(180, 200, "invite-errors")], seed=3, gaps=[*range(40, 45), *range(225, 240)]),
            minutes("gamma-1", 240, [(150, 180, "bye-slow")], seed=4),
        ]
    )
    return table.filter(pl.col("minute") < minute(last))


def run(*words: Any) -> str:
    """What a command prints; it must end well."""
    result = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def digest(text: str | bytes) -> str:
    """A short name of the content."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:16]


def replayed(folder: Path, *words: str, last: int = 270) -> str:
    """The fixed traffic through the monitor: what it prints, `state.db.replay` and `verdicts.parquet`."""
    write_minutes(traffic(last), folder / "traffic.parquet")
    (folder / "monitor.toml").write_text(
        f'model = "{STORED / "model.faultprint"}"\nlibrary = "{STORED / "cases.db"}"\nstate = "state.db"\n{_SINKS}'
    )
    command = ("replay", folder / "traffic.parquet", "--config", folder / "monitor.toml", "--json")
    return run(*command, "--out", folder / "verdicts.parquet", *words)


def verdict_rows(path: Path) -> str:
    """The verdicts, figures to three digits: the last ones differ between processors."""
    table = storage.read(path, VERDICTS)
    return table.with_columns(pl.selectors.float().round(3) + 0.0).write_json()


def state_rows(path: Path) -> dict[str, str]:
    """Each table of a monitor's state: its columns and the number of its rows."""
    with sqlite3.connect(path) as database:
        names = [
            name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        ]
        return {
            name: f"{','.join(column[1] for column in database.execute(f'PRAGMA table_info({name})'))}: "
            f"{database.execute(f'SELECT count(*) FROM {name}').fetchone()[0]}"
            for name in names
        }


def again(folder: Path) -> tuple[str, dict[str, Any]]:
    """The stored state, gone on with for the last hour that it lacks: what is printed, and what of it is compared."""
    shutil.copy(STORED / "state.db", folder / "stored.db")
    shutil.copy(folder / "lines.jsonl", folder / "lines.jsonl.kept")
    printed = replayed(folder, "--state", str(folder / "stored.db"))
    shutil.move(folder / "lines.jsonl.kept", folder / "lines.jsonl")
    summary = json.loads(printed)
    return printed, {name: summary[name] for name in ("minutes", "nodes", "verdicts", "changes", "open_incidents")}


def found(folder: Path) -> dict[str, Any]:
    """What the stages leave, by name."""
    run("simulate", "--networks", 2, "--days", 0.5, "--episodes-per-day", 4, "--seed", 5, "--out", folder / "net")
    run("features", folder / "net" / "transactions.parquet", "--out", folder / "minutes.parquet")
    tables = {path.stem: digest(path.read_bytes()) for path in _tables(folder)}
    model = STORED / "model.faultprint"
    words = ("--model", model, "--library", STORED / "cases.db", "--out", folder / "identified.parquet")
    write_minutes(traffic(), folder / "traffic.parquet")
    run("identify", folder / "traffic.parquet", *words)
    printed = replayed(folder)
    dry = replayed(folder, "--dry-run", "--state", str(folder / "fresh.db"))
    _, kept = again(folder)
    return {
        "tables": tables,
        "model": load_model(model).id,
        "library": digest(run("cases", "list", "--library", STORED / "cases.db", "--json")),
        "identified": digest(verdict_rows(folder / "identified.parquet")),
        "replayed": digest(verdict_rows(folder / "verdicts.parquet")),
        "summary": json.loads(printed)["changes"],
        "sent": _messages(dry),
        "lines": [json.loads(line)["condition"] for line in (folder / "lines.jsonl").read_text().splitlines()],
        "state": state_rows(folder / "state.db.replay"),
        "again": kept,
    }


def _tables(folder: Path) -> Iterable[Path]:
    return (folder / "net" / "transactions.parquet", folder / "net" / "labels.parquet", folder / "minutes.parquet")


def _messages(printed: str) -> dict[str, Any]:
    """How many messages a dry run prints, and their bodies, figures to two digits; sinks take turns as they like."""
    printed = printed[: printed.rindex('{"minutes"')]
    text = re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.2f}", printed)
    bodies = sorted(message.partition("\n")[2].strip() for message in text.split("would send ")[1:])
    return {"messages": len(bodies), "bodies": digest("\n".join(bodies))}
