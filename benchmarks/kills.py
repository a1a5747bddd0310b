"""kill -9 at random moments: a replaying monitor is killed again and again, and what arrived is set beside a calm run.

    python -m benchmarks.kills RECORDING CONFIG FOLDER --kills 500

CONFIG's file sinks are written below FOLDER, once by a run that nobody disturbs and once by one that is killed; the lines
and the verdicts of both must be the same. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

_CODE = "from faultprint.cli import main; main()"
_PATIENCE_S = 120.0


def kills(recording: Path, config: Path, folder: Path, number: int, seed: int) -> dict[str, Any]:
    """Kill `number` times, then let it finish. `config` names model and library; sink and state are put below `folder`.

    Every kill falls a random number of finished minutes, and a random moment more, after the start; when the recording has
    been replayed to its end it begins anew, in another round with a calm run's outcome of its own.
    """
    random = Random(seed)
    calm = _Run(recording, config, folder / "calm")
    calm.finish()
    done, rounds, bad = 0, 0, Counter[str]()
    while done < number:
        run = _Run(recording, config, folder / f"round-{rounds}")
        rounds += 1
        while done < number and run.kill(random):
            done += 1
        run.finish()
        bad += run.difference(calm)
    return {
        "kills": done,
        "rounds": rounds,
        "messages": len(calm.lines()),
        "lost": bad["lost"],
        "twice": bad["twice"],
        "other_verdicts": bad["verdicts"],
    }


class _Run:
    """One replay with its own state and its own sink."""

    def __init__(self, recording: Path, config: Path, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._recording, self._folder = recording, folder
        self._config = folder / "monitor.toml"
        sink = '[[sink]]\nname = "lines"\nkind = "file"\npath = "lines.jsonl"\n'
        self._config.write_text(f'state = "state.db"\n{config.read_text()}\n{sink}')
        self._state = folder / "state.db.replay"

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
        command = [sys.executable, "-c", _CODE, "replay", str(self._recording), "--config", str(self._config), *words]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def _closed(self) -> int:
        """Number of the last finished minute, as far as the state file tells."""
        if not self._state.exists():
            return 0
        connection = sqlite3.connect(f"file:{self._state}?mode=ro", uri=True, timeout=5)
        try:
            row = connection.execute("SELECT value FROM fact WHERE name = 'closed'").fetchone()
        except sqlite3.Error:
            row = None
        finally:
            connection.close()
        return int(row[0]) if row else 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("config", type=Path, help="TOML with model and library only")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(json.dumps(kills(given.recording, given.config, given.folder, given.kills, given.seed)))


if __name__ == "__main__":
    main()
