"""From a configuration to a member of the group that is ready to run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from faultprint.embedding.model import load_model
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.build import build_monitor, build_sinks
from faultprint.monitor.config.kafka import KafkaSettings, Payload
from faultprint.monitor.config.settings import Settings
from faultprint.monitor.deliver.delivery import Log
from faultprint.monitor.deliver.sinks import Shared, cluster
from faultprint.monitor.kafka.archive import StateArchive
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.group import Group
from faultprint.monitor.kafka.minutes import MinutesPartition
from faultprint.monitor.kafka.partition import Partition
from faultprint.monitor.kafka.states import States
from faultprint.monitor.kafka.subscription import Subscription
from faultprint.monitor.kafka.transactions import TransactionsPartition


@contextmanager
def member(settings: Settings, kafka: KafkaSettings, wall: Clock, tell: Log) -> Iterator[Group]:
    """The member, its sinks open; they are closed with the block. Raises any FaultprintError."""
    brokers = cluster(kafka)
    with ExitStack() as stack:
        assert isinstance(settings.state, Path)  # as the settings see to
        states = States(StateArchive(brokers, kafka.state, kafka.group), settings.state, kafka.topic)
        stack.callback(states.close)
        model = load_model(settings.model)
        told = []
        for sink in build_sinks(settings, model, None):
            stack.callback(sink.sender.close)
            told.append(replace(sink, sender=Shared(sink.sender)))

        def begin(number: int, clock: LogClock) -> Partition:
            say = partial(tell, partition=number)
            with ExitStack() as own:
                monitor = own.enter_context(
                    build_monitor(settings, clock, say, state=states.path(number), model=model, told=told)
                )
                kind = TransactionsPartition if kafka.holds is Payload.TRANSACTIONS else MinutesPartition
                return kind(number, monitor, clock, say, own.pop_all().close)

        yield Group(Subscription(kafka, brokers, tell), states, begin, kafka.checkpoint_minutes, wall, tell)
