"""kill -9 at random moments: a replay is killed again and again, and its output is compared with an undisturbed run.

    python -m benchmarks.crash_test RECORDING CONFIG FOLDER --kills 500 [--postgres URL] [--out kills.json] 2> kills.log &

The file sinks of both runs are in FOLDER; their lines and verdicts must be equal. With --postgres every run keeps its state
in a new schema of that database. Standard error shows the progress. The figures so far are in --out after each round, and
printed as one JSON object at the end.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from faultprint.files import replacing

_CODE = "from faultprint.cli import main; main()"
_TIMEOUT_S = 120.0
_LAST = "SELECT value FROM fact WHERE name = 'closed'"


def crash_test(
    make: Callable[[str], _Run], number: int, seed: int, report: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Kill `number` times, then let the run finish. `make` makes a run by its name, without starting it.

    Every kill comes a random number of finished minutes and a random time after the start. When the recording has been replayed
    to its end, another round starts, with a new state. `report` gets the figures so far.
    """
    random, begun = Random(seed), time.monotonic()
    undisturbed = make("undisturbed")
    undisturbed.finish()
    done, rounds, errors = 0, 0, Counter[str]()

    def figures() -> dict[str, Any]:
        return {
            "kills": done,
            "rounds": rounds,
            "messages": len(undisturbed.lines()),
            "lost": errors["lost"],
            "twice": errors["twice"],
            "other_verdicts": errors["verdicts"],
            "seconds": round(time.monotonic() - begun, 1),
        }

    while done < number:
        run = make(f"round_{rounds}")
        while done < number and run.kill(random):
            done += 1
            print(f"{done} of {number} kills, round {rounds}", file=sys.stderr, flush=True)
        run.finish()
        rounds += 1
        errors += run.difference(undisturbed)
        report(figures())
    return figures()


class _Run:
    """One replay with a state and a sink of its own; `state`: a PostgreSQL URL, or None for a file."""

    def __init__(self, recording: Path, config: Path, folder: Path, state: str | None) -> None:
        folder.mkdir(parents=True)
        self._recording, self._folder = recording, folder
        self._config = folder / "monitor.toml"
        sink = '[[sink]]\nname = "lines"\nkind = "file"\npath = "lines.jsonl"\n'
        self._config.write_text(f'state = "state.db"\n{config.read_text()}\n{sink}')
        self._state = state or str(folder / "state.db.replay")
        self._closed = _in_database(state) if state else _in_file(Path(self._state))

    def finish(self) -> None:
        process = self._start("--out", str(self._folder / "verdicts.parquet"))
        if process.wait(600) != 0:
            raise RuntimeError(f"the replay in {self._folder} failed; see {self._folder / 'log'}")

    def kill(self, random: Random) -> bool:
        """Start it and kill it; False if it ended before."""
        process = self._start("--drain-timeout", "0")
        goal, limit = self._closed() + random.randrange(40), time.monotonic() + _TIMEOUT_S
        while process.poll() is None and self._closed() < goal and time.monotonic() < limit:
            time.sleep(0.001)
        time.sleep(random.random() * 0.02)
        if process.poll() is not None:
            return False
        process.kill()
        process.wait()
        return True

    def lines(self) -> list[str]:
        path = self._folder / "lines.jsonl"
        return path.read_text().splitlines() if path.exists() else []

    def difference(self, other: _Run) -> Counter[str]:
        """Counts of lines that this run lost or has twice, compared with the other, and whether the verdicts differ."""
        lines, expected = Counter(self.lines()), Counter(other.lines())
        same = (self._folder / "verdicts.parquet").read_bytes() == (other._folder / "verdicts.parquet").read_bytes()
        return Counter(lost=(expected - lines).total(), twice=(lines - expected).total(), verdicts=int(not same))

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _CODE, "replay", str(self._recording), "--config", str(self._config)]
        command += ["--state", self._state, *words]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)


def _in_file(path: Path) -> Callable[[], int]:
    """A function that reads the number of the last finished minute from a state file; 0 if there is none."""

    def closed() -> int:
        if not path.exists():
            return 0
        # Read-only: the last writer to close the file recovers it, and that must be the killed monitor.
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            row = connection.execute(_LAST).fetchone()
        except sqlite3.Error:
            row = None
        finally:
            connection.close()
        return int(row[0]) if row else 0

    return closed


def _in_database(url: str) -> Callable[[], int]:
    """The same for a state in a database."""
    import psycopg

    connection = psycopg.connect(url, autocommit=True)

    def closed() -> int:
        try:
            row = connection.execute(_LAST).fetchone()
        except psycopg.errors.UndefinedTable:
            row = None
        return int(row[0]) if row else 0

    return closed


def _schema(url: str, name: str) -> str:
    """The URL of a new schema in a database."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("CREATE SCHEMA {}").format(psycopg.sql.Identifier(name)))
    return f"{url}{'&' if '?' in url else '?'}options={quote(f'-csearch_path={name}')}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crash_test", description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("config", type=Path, help="TOML with model and library only")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", metavar="URL", help="keep the states in this database")
    parser.add_argument("--out", type=Path, help="keep the figures there, too")
    given = parser.parse_args()

    def make(name: str) -> _Run:
        state = _schema(given.postgres, f"kills_{name}") if given.postgres else None
        return _Run(given.recording, given.config, given.folder / name, state)

    def report(figures: dict[str, Any]) -> None:
        if given.out:
            with replacing(given.out) as temporary:
                temporary.write_text(json.dumps(figures) + "\n")

    print(json.dumps(crash_test(make, given.kills, given.seed, report)))


if __name__ == "__main__":
    main()
