"""A member of the consumer group: one monitor for each partition that the group assigns to it.

    event                  action
    partition assigned     acquire its newest state, local or from the archive, and read on at the offset of that state
    partition revoked      stop delivery, upload the state, commit its offset
    partition lost         close the monitor and upload nothing: another member has the partition already
    end of a minute        write buffers, verdicts, incidents, messages and the offset in one transaction; commit the offset
    checkpoint due         upload the state; also after each command of an operator
    brokers unreachable    log it once, and let no minute end by the clock until the brokers answer

If the state of a partition cannot be acquired, the member tries again. Its other partitions go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from faultprint.errors import StateError
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.base.liveness import Liveness
from faultprint.monitor.base.log import Log
from faultprint.monitor.kafka.archive import ArchiveError
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.partition import Partition
from faultprint.monitor.kafka.states import PartitionStates
from faultprint.monitor.kafka.subscription import Subscription
from faultprint.monitor.monitor import Monitor

if TYPE_CHECKING:
    from confluent_kafka import Message

POLL_S: Final = 0.5
"""Maximum wait for records in one turn of the loop, which also checks the clock, commands and brokers."""

OpenPartition = Callable[[int, LogClock], Partition]
"""open_partition(number, clock): the partition with its monitor. Its state file is in place already."""


class GroupMember:
    """Runs the monitors of the assigned partitions. The public attributes serve health checks and metrics."""

    def __init__(
        self,
        subscription: Subscription,
        states: PartitionStates,
        open_partition: OpenPartition,
        checkpoint_minutes: int,
        clock: Clock,
        log: Log,
    ) -> None:
        self._subscription, self._states, self._open_partition = subscription, states, open_partition
        self._checkpoint_minutes, self._clock, self.log = checkpoint_minutes, clock, log
        self.liveness = Liveness()
        self.leaving: list[Callable[[Monitor], None]] = []
        """Called with the monitor of each partition that is released."""
        self._acquired: dict[int, Partition] = {}
        self._assigned: set[int] = set()
        """Partitions that are assigned but not yet acquired."""
        self._uploaded: dict[int, tuple[int, int]] = {}
        """Partition → minutes and commands that its uploaded state contains."""
        self._stop: Callable[[], bool] = lambda: False
        self._logged: set[tuple[str, int]] = set()
        """Problems that are logged already: event and partition."""

    @property
    def monitors(self) -> Sequence[Monitor]:
        """The monitors of the acquired partitions."""
        return [partition.monitor for partition in list(self._acquired.values())]

    @property
    def partitions(self) -> int | None:
        """Number of acquired partitions."""
        return len(self._acquired)

    def run(self, stop: Callable[[], bool]) -> None:
        """Take part in the group until `stop()` is true. Raises UsageError if the brokers refuse this member."""
        self._stop = stop
        self._subscription.join(self._on_assigned, self._on_revoked, self._on_lost)
        try:
            while not stop():
                self._turn()
        finally:
            try:
                self._on_revoked(list(self._acquired))  # before it leaves: the offsets of a former member do not count
            finally:
                self._on_lost(list(self._acquired))
                self._subscription.leave()

    def _turn(self) -> None:
        self.liveness.beat()
        for monitor in self.monitors:
            monitor.liveness.check()
        for number in sorted(self._assigned)[:1]:  # one in each turn, so that the acquired partitions go on
            self._acquire(number)
        self._subscription.poll(POLL_S)
        for number, partition in list(self._acquired.items()):
            self._process(partition, self._subscription.messages.pop(number, ()))
            if not self._subscription.connected:
                partition.clock.catching_up = True
            if self._checkpoint_due(number, partition):
                self._upload(number, partition)
        offsets = {number: partition.resume_offset for number, partition in self._acquired.items()}
        self._subscription.commit(_known(offsets))
        if not self._subscription.connected:
            positions = {number: partition.position.next_offset for number, partition in self._acquired.items()}
            self._subscription.reconnect(_known(positions))

    @staticmethod
    def _process(partition: Partition, messages: Sequence[Message]) -> None:
        """Handle records and, if it was reached, the end of the partition; then finish what is due."""
        records: list[Message] = []
        for message in messages:
            if message.error() is None:
                records.append(message)
            else:
                partition.handle_messages(records)
                records.clear()
                partition.handle_end(message.offset())  # type: ignore[arg-type]
        partition.handle_messages(records)
        partition.tick()

    def _on_assigned(self, numbers: list[int]) -> None:
        self._assigned |= set(numbers)

    def _on_revoked(self, numbers: list[int]) -> None:
        for number in numbers:
            if partition := self._acquired.get(number):
                # Before the upload, so that the uploaded state holds no message that is already delivered.
                partition.stop_delivery()
                self._upload(number, partition)
        self._on_lost(numbers)

    def _on_lost(self, numbers: list[int]) -> None:
        for number in numbers:
            self._assigned.discard(number)
            self._subscription.release(number)
            if partition := self._acquired.pop(number, None):
                partition.close()
                for on_leave in self.leaving:
                    on_leave(partition.monitor)
                self.log("partition_released", partition=number)

    def _acquire(self, number: int) -> None:
        """Start a partition. If its state cannot be had, the next turn tries again."""
        from confluent_kafka import KafkaException

        partition = None
        try:
            offset = self._subscription.committed(number)
            self._states.acquire(number, offset, self._subscription.partitions())
            partition = self._open_partition(number, LogClock(self._clock))
            partition.monitor.stop = self._stop
            # If the group has no offset, the group forgot it or the brokers lost the log: read from the beginning.
            start = None if offset is None else offset if partition.resume_offset is None else partition.resume_offset
            self._subscription.start(number, start)
            partition.start_reading(start or 0)
        except (ArchiveError, StateError, KafkaException) as error:
            if partition is not None:
                partition.close()
            self._log_once("partition_waiting", number, error)
            return
        self._logged.discard(("partition_waiting", number))
        self._assigned.discard(number)
        self._acquired[number] = partition
        self._uploaded[number] = partition.processed
        self.log("partition_acquired", partition=number, nodes=partition.monitor.nodes.known, offset=start)

    def _checkpoint_due(self, number: int, partition: Partition) -> bool:
        minutes, commands = self._uploaded[number]
        return partition.processed[0] - minutes >= self._checkpoint_minutes or partition.processed[1] > commands

    def _upload(self, number: int, partition: Partition) -> None:
        """Upload the state of a partition as it is on disk. After a failure the next checkpoint tries again."""
        from confluent_kafka import KafkaException

        if not self._subscription.connected:
            self._log_once("state_not_uploaded", number, "brokers unreachable")
            return
        self._uploaded[number] = partition.processed
        if partition.resume_offset is None:
            return
        try:
            self._states.upload(
                number,
                partition.monitor.store,
                partition.resume_offset,
                lambda offset: self._subscription.commit_now(number, offset),
            )
        except (ArchiveError, StateError, KafkaException) as error:
            self._log_once("state_not_uploaded", number, error)
        else:
            self._logged.discard(("state_not_uploaded", number))

    def _log_once(self, event: str, number: int, error: object) -> None:
        if (event, number) not in self._logged:
            self._logged.add((event, number))
            self.log(event, partition=number, detail=str(error))


def _known(offsets: dict[int, int | None]) -> dict[int, int]:
    return {number: offset for number, offset in offsets.items() if offset is not None}
