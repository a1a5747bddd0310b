"""Members of a consumer group on a real broker: each minute of a node gets one verdict, whoever joins or leaves."""

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

from ...broker import Broker, TcpProxy
from ..conftest import Deployment, Log, Watch, feed
from .conftest import PARTITIONS, ConsumerGroup, wait_until

pytestmark = pytest.mark.timeout(900)  # on a busy machine; half a minute each otherwise

FAULTS = {"alpha-7": "bye-slow", "beta-7": "register-timeouts", "gamma-7": "invite-errors", "delta-7": "bye-slow"}
LENGTH = 160


def traffic() -> pl.DataFrame:
    """Four nodes, each with a fault from its hundredth minute on."""
    return pl.concat(
        minutes(node, LENGTH, [(100 + seed, 125 + seed, fault)], seed=seed)
        for seed, (node, fault) in enumerate(FAULTS.items())
    )


def between(frame: pl.DataFrame, begin: int, end: int) -> pl.DataFrame:
    first = frame["minute"].min()
    number = (pl.col("minute") - first).dt.total_minutes()
    return frame.filter(number.is_between(begin, end, closed="left"))


def expected(watch: Watch, frame: pl.DataFrame) -> tuple[pl.DataFrame, Counter[tuple[str, str, str]]]:
    """Verdicts and incident changes of a single monitor without Kafka."""
    from faultprint.monitor.state import persistence

    log = Log()
    with watch(log) as monitor:
        feed(monitor, frame)
        found = persistence.verdicts(monitor.store, monitor.buffer.interval_us)
    changes = Counter(
        (str(facts["node"]), str(facts["change"]), str(facts["incident"]))
        for event, facts in log
        if event == "incident_changed"
    )
    return found, changes


def sent(consumer_group: ConsumerGroup) -> Counter[tuple[str, str, str]]:
    return Counter((line["node"], line["change"], line["incident"]) for line in consumer_group.lines())


def test_members_join_and_leave_and_no_minute_is_scored_twice(consumer_group: ConsumerGroup, watch: Watch) -> None:
    frame = traffic()
    verdicts, changes = expected(watch, frame)
    assert {change for _, change, _ in changes} >= {"onset", "clear"}
    columns = ["node", "minute", "condition"]
    with consumer_group.member("one") as one:
        consumer_group.produce(between(frame, 0, 70))
        wait_until(lambda: consumer_group.finished(70))
        with consumer_group.member("two") as two:
            wait_until(lambda: 0 < len(two.monitors) < 3 and len(one.monitors) + len(two.monitors) == 3)
            consumer_group.produce(between(frame, 70, 115))
            wait_until(lambda: consumer_group.finished(115))
        wait_until(lambda: len(one.monitors) == 3)
        consumer_group.produce(between(frame, 115, LENGTH))
        wait_until(lambda: consumer_group.finished(LENGTH))
        wait_until(lambda: sent(consumer_group) == changes)
    assert consumer_group.verdicts().select(columns).equals(verdicts.select(columns))
    assert consumer_group.verdicts().select("node", "minute").is_duplicated().sum() == 0
    assert consumer_group.logs["two"].events().count("partition_acquired") in (1, 2)


@pytest.fixture
def group_with_proxy(
    broker_program: Path, deployment: Deployment, tmp_path: Path
) -> Iterator[tuple[ConsumerGroup, TcpProxy]]:
    """A consumer group whose members reach the broker through a proxy."""
    proxy = TcpProxy()
    broker = Broker(broker_program, tmp_path, proxy)
    proxy.connect(broker)
    consumer_group = ConsumerGroup(broker, deployment, tmp_path, "proxied")
    consumer_group.create_topic()
    yield consumer_group, proxy
    proxy.cut()
    broker.stop()


def test_an_outage_of_the_brokers_is_logged_once_and_caught_up(
    group_with_proxy: tuple[ConsumerGroup, TcpProxy], watch: Watch
) -> None:
    consumer_group, proxy = group_with_proxy
    frame = traffic()
    verdicts, changes = expected(watch, frame)
    with consumer_group.member("one"):
        consumer_group.produce(between(frame, 0, 70))
        wait_until(lambda: consumer_group.finished(70))
        proxy.cut()
        log = consumer_group.logs["one"]
        wait_until(lambda: "brokers_unreachable" in log.events())
        proxy.connect(consumer_group.broker)
        consumer_group.produce(between(frame, 70, LENGTH))
        wait_until(lambda: consumer_group.finished(LENGTH))
        wait_until(lambda: sent(consumer_group) == changes)
        wait_until(lambda: "brokers_reachable" in log.events())
    assert [log.events().count(event) for event in ("brokers_unreachable", "brokers_reachable")] == [1, 1]
    assert consumer_group.verdicts()["condition"].equals(verdicts["condition"])


def test_a_member_leaves_in_time_even_if_its_brokers_are_unreachable(
    group_with_proxy: tuple[ConsumerGroup, TcpProxy],
) -> None:
    consumer_group, proxy = group_with_proxy
    with consumer_group.member("one") as one:
        consumer_group.produce(between(traffic(), 0, 5))
        wait_until(lambda: consumer_group.finished(5) and len(one.monitors) == PARTITIONS)
        proxy.cut()
        wait_until(lambda: "brokers_unreachable" in consumer_group.logs["one"].events())
        begun = time.monotonic()
    assert time.monotonic() - begun < 20
    assert consumer_group.logs["one"].events().count("partition_released") == PARTITIONS


def test_no_state_is_lost_if_the_broker_loses_its_data(consumer_group: ConsumerGroup, watch: Watch) -> None:
    frame = traffic()
    verdicts, changes = expected(watch, frame)
    with consumer_group.member("one"):
        consumer_group.produce(between(frame, 0, 110))
        wait_until(lambda: consumer_group.finished(110))
        consumer_group.broker.stop()
        consumer_group.broker.start()
        consumer_group.create_topic()
        consumer_group.produce(between(frame, 110, LENGTH))
        wait_until(lambda: consumer_group.finished(LENGTH))
        wait_until(lambda: sent(consumer_group) == changes)
    assert consumer_group.verdicts()["condition"].equals(verdicts["condition"])


def start_process(consumer_group: ConsumerGroup, member: str) -> subprocess.Popen[bytes]:
    """A member in its own process."""
    settings, kafka = consumer_group.settings(member), consumer_group.kafka
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
    command = [
        sys.executable,
        "-c",
        "from faultprint.cli import main; main()",
        "monitor",
        "--config",
        str(folder / "monitor.toml"),
        "--json",
    ]
    with (folder / "log.jsonl").open("ab") as log:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)


def acquired(consumer_group: ConsumerGroup, member: str) -> list[int]:
    """The partitions that a member has, according to its log."""
    numbers: list[int] = []
    for line in (consumer_group.folder / member / "log.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["event"] == "partition_acquired":
            numbers.append(entry["partition"])
        elif entry["event"] == "partition_released":
            numbers.remove(entry["partition"])
    return numbers


def test_another_member_takes_over_from_a_killed_one(consumer_group: ConsumerGroup, watch: Watch) -> None:
    frame = traffic()
    verdicts, changes = expected(watch, frame)
    members = {name: start_process(consumer_group, name) for name in ("one", "two")}
    try:
        wait_until(
            lambda: (
                sum(len(acquired(consumer_group, name)) for name in members) == PARTITIONS
                and all(acquired(consumer_group, name) for name in members)
            )
        )
        consumer_group.produce(between(frame, 0, 115))
        wait_until(lambda: consumer_group.finished(115))
        os.kill(members["one"].pid, signal.SIGKILL)
        members["one"].wait()
        consumer_group.produce(between(frame, 115, LENGTH))
        wait_until(lambda: len(acquired(consumer_group, "two")) == PARTITIONS)
        wait_until(lambda: consumer_group.finished(LENGTH))
        wait_until(lambda: set(sent(consumer_group)) == set(changes))
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
    assert consumer_group.verdicts().select(columns).equals(verdicts.select(columns))
    # Messages after the last checkpoint of the killed member may be sent again: with the same identity and the same text.
    distinct = {json.dumps(line, sort_keys=True) for line in consumer_group.lines()}
    assert len(distinct) == len({line["event_id"] for line in consumer_group.lines()}) == sum(changes.values())
