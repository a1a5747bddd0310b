"""Builds a member of the consumer group from the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from faultprint.embedding.model import load_model
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.base.log import Log
from faultprint.monitor.build import build_monitor, build_sinks
from faultprint.monitor.config.kafka import KafkaSettings, Payload
from faultprint.monitor.config.settings import Settings
from faultprint.monitor.deliver.sinks import SharedSender, kafka_cluster
from faultprint.monitor.kafka.archive import StateArchive
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.group import GroupMember
from faultprint.monitor.kafka.minutes import MinutesPartition
from faultprint.monitor.kafka.partition import Partition
from faultprint.monitor.kafka.states import PartitionStates
from faultprint.monitor.kafka.subscription import Subscription
from faultprint.monitor.kafka.transactions import TransactionsPartition


@contextmanager
def group_member(settings: Settings, kafka: KafkaSettings, clock: Clock, log: Log) -> Iterator[GroupMember]:
    """The member with open sinks; leaving the block closes them. Raises any FaultprintError."""
    brokers = kafka_cluster(kafka)
    with ExitStack() as stack:
        assert isinstance(settings.state, Path)  # the settings refuse a database together with [kafka]
        states = PartitionStates(StateArchive(brokers, kafka.state, kafka.group), settings.state, kafka.topic)
        stack.callback(states.close)
        model = load_model(settings.model, keys=settings.model_keys)
        sinks = []
        for sink in build_sinks(settings, model, None):
            stack.callback(sink.sender.close)
            sinks.append(replace(sink, sender=SharedSender(sink.sender)))

        def open_partition(number: int, log_clock: LogClock) -> Partition:
            partition_log = partial(log, partition=number)
            with ExitStack() as monitor_stack:
                monitor = monitor_stack.enter_context(
                    build_monitor(
                        settings, log_clock, partition_log, state=states.path(number), model=model, sinks=sinks
                    )
                )
                kind = TransactionsPartition if kafka.payload is Payload.TRANSACTIONS else MinutesPartition
                return kind(number, monitor, log_clock, partition_log, monitor_stack.pop_all().close)

        yield GroupMember(
            Subscription(kafka, brokers, log), states, open_partition, kafka.checkpoint_minutes, clock, log
        )
