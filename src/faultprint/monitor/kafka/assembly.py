"""From a configuration to a member of the group that is ready to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TextIO

from faultprint.embedding.model import load
from faultprint.monitor.assembly import assembled, told
from faultprint.monitor.courier import Sink, Tell
from faultprint.monitor.kafka.archive import Archive
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.group import Group
from faultprint.monitor.kafka.minutes import MinutesPartition
from faultprint.monitor.kafka.partition import Partition
from faultprint.monitor.kafka.settings import Holds, KafkaSettings
from faultprint.monitor.kafka.states import States
from faultprint.monitor.kafka.subscription import Subscription
from faultprint.monitor.kafka.transactions import TransactionsPartition
from faultprint.monitor.ports import Clock
from faultprint.monitor.settings import Settings
from faultprint.monitor.sinks import Shared, cluster


@contextmanager
def member(
    settings: Settings, kafka: KafkaSettings, wall: Clock, tell: Tell, dry: TextIO | None = None
) -> Iterator[Group]:
    """The member, its sinks open; they are closed with the block. Raises any FaultprintError."""
    brokers = cluster(kafka)
    with ExitStack() as stack:
        states = States(Archive(brokers, kafka.state, kafka.group), settings.state, kafka.topic)
        stack.callback(states.close)
        model = load(settings.model)
        sinks = []
        for sink in told(settings, dry):
            stack.callback(sink.sender.close)
            sinks.append(Sink(sink.name, sink.encode, Shared(sink.sender)))

        def begin(number: int, clock: LogClock) -> Partition:
            say = partial(tell, partition=number)
            with ExitStack() as own:
                monitor = own.enter_context(
                    assembled(settings, clock, say, state=states.path(number), model=model, sinks=sinks)
                )
                kind = TransactionsPartition if kafka.holds is Holds.TRANSACTIONS else MinutesPartition
                return kind(number, monitor, clock, say, own.pop_all().close)

        yield Group(Subscription(kafka, brokers, tell), states, begin, kafka.checkpoint_minutes, wall, tell)
