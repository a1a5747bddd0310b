"""kill -9 at random moments: a replaying monitor is killed again and again, and what arrived is set beside a calm run.

    python -m benchmarks.crash_test RECORDING CONFIG FOLDER --kills 500 [--postgres URL] [--out kills.json] 2> kills.log &

CONFIG's file sinks are written below FOLDER, once by a run that nobody disturbs and once by one that is killed; the lines
and the verdicts of both must be the same. With --postgres every run has its state in a schema of its own in that database,
which must have none of them yet. A line on standard error tells how far it has come; the figures so far are in --out after each
round, and printed as one JSON object at the end.
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
_PATIENCE_S = 120.0
_LAST = "SELECT value FROM fact WHERE name = 'closed'"


def kills(
    make: Callable[[str], _Run], number: int, seed: int, tell: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Kill `number` times, then let it finish. `make` gives a run that has not been started yet, by its name.

    Every kill falls a random number of finished minutes, and a random moment more, after the start; when the recording has
    been replayed to its end it begins anew, in another round with a calm run's outcome of its own. `tell` gets the figures so far.
    """
    random, begun = Random(seed), time.monotonic()
    calm = make("calm")
    calm.finish()
    done, rounds, bad = 0, 0, Counter[str]()

    def figures() -> dict[str, Any]:
        return {
            "kills": done,
            "rounds": rounds,
            "messages": len(calm.lines()),
            "lost": bad["lost"],
            "twice": bad["twice"],
            "other_verdicts": bad["verdicts"],
            "seconds": round(time.monotonic() - begun, 1),
        }

    while done < number:
        run = make(f"round_{rounds}")
        while done < number and run.kill(random):
            done += 1
            print(f"{done} of {number} kills, round {rounds}", file=sys.stderr, flush=True)
        run.finish()
        rounds += 1
        bad += run.difference(calm)
        tell(figures())
    return figures()


class _Run:
    """One replay with its own state and its own sink; `state`: a PostgreSQL URL, or None for a file."""

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
        """Start it and kill it; False if it came to its end before."""
        process = self._start("--drain", "0")
        goal, limit = self._closed() + random.randrange(40), time.monotonic() + _PATIENCE_S
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
        """What this run has lost or has twice, beside the other; and whether its verdicts differ."""
        mine, theirs = Counter(self.lines()), Counter(other.lines())
        same = (self._folder / "verdicts.parquet").read_bytes() == (other._folder / "verdicts.parquet").read_bytes()
        return Counter(lost=(theirs - mine).total(), twice=(mine - theirs).total(), verdicts=int(not same))

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _CODE, "replay", str(self._recording), "--config", str(self._config)]
        command += ["--state", self._state, *words]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)


def _in_file(path: Path) -> Callable[[], int]:
    """Tells the number of the last finished minute, as far as a state file has it; 0: of none."""

    def closed() -> int:
        if not path.exists():
            return 0
        # Only to read: whoever else closes such a file last puts it in order, which is the killed monitor's own to do.
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
    """The same of a state in a database."""
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

    def tell(figures: dict[str, Any]) -> None:
        if given.out:
            with replacing(given.out) as temporary:
                temporary.write_text(json.dumps(figures) + "\n")

    print(json.dumps(kills(make, given.kills, given.seed, tell)))


if __name__ == "__main__":
    main()
