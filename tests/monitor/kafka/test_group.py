"""Members of a consumer group on a real broker: each node-minute judged once, whoever comes and goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("confluent_kafka")

from tests.synthetic import minutes

from ...broker import Broker, Wire
from ..conftest import Log, Town, Watch, feed
from .conftest import PARTITIONS, Hall, until

pytestmark = pytest.mark.timeout(900)  # on a busy machine; half a minute each otherwise

FAULTS = {"alpha-7": "bye-slow", "beta-7": "register-timeouts", "gamma-7": "invite-errors", "delta-7": "bye-slow"}
LENGTH = 160


def traffic() -> pl.DataFrame:
    """Four nodes, each with a fault from its hundredth minute on."""
    return pl.concat(
        minutes(node, LENGTH, [(100 + seed, 125 + seed, fault)], seed=seed)
        for seed, (node, fault) in enumerate(FAULTS.items())
    )


def part(frame: pl.DataFrame, begin: int, end: int) -> pl.DataFrame:
    first = frame["minute"].min()
    number = (pl.col("minute") - first).dt.total_minutes()
    return frame.filter(number.is_between(begin, end, closed="left"))


def expected(watch: Watch, frame: pl.DataFrame) -> tuple[pl.DataFrame, Counter[tuple[str, str, str]]]:
    """Verdicts and changes of one monitor that hears all of it by itself."""
    from faultprint.monitor.state import persistence

    log = Log()
    with watch(log) as monitor:
        feed(monitor, frame)
        found = persistence.verdicts(monitor.store, monitor.buffer.interval_us)
    changes = Counter(
        (str(facts["node"]), str(facts["change"]), str(facts["incident"]))
        for event, facts in log
        if event == "incident"
    )
    return found, changes


def told(hall: Hall) -> Counter[tuple[str, str, str]]:
    return Counter((line["node"], line["change"], line["incident"]) for line in hall.lines())


def test_members_come_and_go_and_nothing_is_judged_twice(hall: Hall, watch: Watch) -> None:
    frame = traffic()
    verdicts, changes = expected(watch, frame)
    assert {change for _, change, _ in changes} >= {"onset", "clear"}
    columns = ["node", "minute", "condition"]
    with hall.member("one") as one:
        hall.feed(part(frame, 0, 70))
        until(lambda: hall.judged(70))
        with hall.member("two") as two:
            until(lambda: 0 < len(two.monitors) < 3 and len(one.monitors) + len(two.monitors) == 3)
            hall.feed(part(frame, 70, 115))
            until(lambda: hall.judged(115))
        until(lambda: len(one.monitors) == 3)
        hall.feed(part(frame, 115, LENGTH))
        until(lambda: hall.judged(LENGTH))
        until(lambda: told(hall) == changes)
    assert hall.verdicts().select(columns).equals(verdicts.select(columns))
    assert hall.verdicts().select("node", "minute").is_duplicated().sum() == 0
    assert hall.logs["two"].events().count("partition taken up") in (1, 2)


@pytest.fixture
def wired(binary: Path, town: Town, tmp_path: Path) -> Iterator[tuple[Hall, Wire]]:
    """A hall whose broker is reached by a wire."""
    wire = Wire()
    broker = Broker(binary, tmp_path, wire)
    wire.mend(broker)
    hall = Hall(broker, town, tmp_path, "wired")
    hall.make()
    yield hall, wire
    wire.cut()
    broker.stop()


def test_brokers_that_were_away_are_spoken_of_once_and_caught_up_with(wired: tuple[Hall, Wire], watch: Watch) -> None:
    hall, wire = wired
    frame = traffic()
    verdicts, changes = expected(watch, frame)
    with hall.member("one"):
        hall.feed(part(frame, 0, 70))
        until(lambda: hall.judged(70))
        wire.cut()
        log = hall.logs["one"]
        until(lambda: "brokers away" in log.events())
        wire.mend(hall.broker)
        hall.feed(part(frame, 70, LENGTH))
        until(lambda: hall.judged(LENGTH))
        until(lambda: told(hall) == changes)
        until(lambda: "brokers back" in log.events())
    assert [log.events().count(event) for event in ("brokers away", "brokers back")] == [1, 1]
    assert hall.verdicts()["condition"].equals(verdicts["condition"])


def test_a_member_leaves_in_good_time_though_its_brokers_are_away(wired: tuple[Hall, Wire]) -> None:
    hall, wire = wired
    with hall.member("one") as one:
        hall.feed(part(traffic(), 0, 5))
        until(lambda: hall.judged(5) and len(one.monitors) == PARTITIONS)
        wire.cut()
        until(lambda: "brokers away" in hall.logs["one"].events())
        begun = time.monotonic()
    assert time.monotonic() - begun < 20
    assert hall.logs["one"].events().count("partition put down") == PARTITIONS


def test_a_broker_that_lost_everything_costs_no_state(hall: Hall, watch: Watch) -> None:
    frame = traffic()
    verdicts, changes = expected(watch, frame)
    with hall.member("one"):
        hall.feed(part(frame, 0, 110))
        until(lambda: hall.judged(110))
        hall.broker.stop()
        hall.broker.start()
        hall.make()
        hall.feed(part(frame, 110, LENGTH))
        until(lambda: hall.judged(LENGTH))
        until(lambda: told(hall) == changes)
    assert hall.verdicts()["condition"].equals(verdicts["condition"])


def started(hall: Hall, who: str) -> subprocess.Popen[bytes]:
    """A member as a process of its own."""
    settings, kafka = hall.settings(who), hall.kafka
    folder = settings.state.parent
    (folder / "monitor.toml").write_text(
        f'''
model = "{settings.model}"
library = "{settings.library}"
state = "state.db"
http = {{ port = 0 }}
[kafka]
bootstrap = "{kafka.bootstrap}"
group = "{kafka.group}"
topic = "{kafka.topic}"
state = "{kafka.state}"
checkpoint_minutes = {kafka.checkpoint_minutes}
session_seconds = {kafka.session_seconds}
[[sink]]
name = "lines"
kind = "file"
path = "lines.jsonl"
'''
    )
    words = [
        sys.executable,
        "-c",
        "from faultprint.cli import main; main()",
        "monitor",
        "--config",
        str(folder / "monitor.toml"),
        "--json",
    ]
    with (folder / "log.jsonl").open("ab") as log:
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log)


def taken_up(hall: Hall, who: str) -> list[int]:
    """The partitions that a member has, by its log."""
    held: list[int] = []
    for line in (hall.folder / who / "log.jsonl").read_text().splitlines():
        found = json.loads(line)
        if found["event"] == "partition taken up":
            held.append(found["partition"])
        elif found["event"] == "partition put down":
            held.remove(found["partition"])
    return held


def test_a_member_that_is_killed_is_succeeded_to(hall: Hall, watch: Watch) -> None:
    frame = traffic()
    verdicts, changes = expected(watch, frame)
    members = {who: started(hall, who) for who in ("one", "two")}
    try:
        until(
            lambda: (
                sum(len(taken_up(hall, who)) for who in members) == PARTITIONS
                and all(taken_up(hall, who) for who in members)
            )
        )
        hall.feed(part(frame, 0, 115))
        until(lambda: hall.judged(115))
        os.kill(members["one"].pid, signal.SIGKILL)
        members["one"].wait()
        hall.feed(part(frame, 115, LENGTH))
        until(lambda: len(taken_up(hall, "two")) == PARTITIONS)
        until(lambda: hall.judged(LENGTH))
        until(lambda: set(told(hall)) == set(changes))
        members["two"].terminate()
        out, _ = members["two"].communicate(timeout=40)
    finally:
        for process in members.values():
            if process.poll() is None:
                process.kill()
                process.wait()
    assert members["two"].returncode == 0
    assert json.loads(out)["nodes"] == len(FAULTS)
    columns = ["node", "minute", "condition"]
    assert hall.verdicts().select(columns).equals(verdicts.select(columns))
    # What the dead one had told after its last checkpoint may have been told again, under the same identity, to the letter.
    alike = {json.dumps(line, sort_keys=True) for line in hall.lines()}
    assert len(alike) == len({line["event_id"] for line in hall.lines()}) == sum(changes.values())
