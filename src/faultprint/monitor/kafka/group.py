"""The monitors of a consumer group: each has the partitions that the group gives it, and with them their nodes.

    event                  what happens
    partition assigned     its newest state is taken up, here or from the archive; reading goes on at that state's offset
    partition revoked      its couriers stop, its state goes to the archive, its offset is committed
    partition lost         it is put down as it is: another has it already
    every minute           rings, verdicts, incidents, messages and the offset are one transaction; then the offset is committed
    every checkpoint       the state goes to the archive; after what people did, too
    brokers away           said once; nothing is judged by the clock meanwhile; said once when they are back

A partition whose state cannot be had waits, and is tried again; those that are held go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from faultprint.errors import StateError
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.base.liveness import Liveness
from faultprint.monitor.deliver.delivery import Log
from faultprint.monitor.kafka.archive import ArchiveError
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.partition import Partition
from faultprint.monitor.kafka.states import States
from faultprint.monitor.kafka.subscription import Subscription
from faultprint.monitor.monitor import Monitor

if TYPE_CHECKING:
    from confluent_kafka import Message

TURN_S: Final = 0.5
"""Between looks at the clock, at people's instructions and at the brokers, at most."""

Begin = Callable[[int, LogClock], Partition]
"""begin(number, clock): the partition with its monitor; its state file is in its place."""


class Group:
    """One member of the group. `pulse`, `monitors` and `leaving` are for health and metrics."""

    def __init__(
        self,
        subscription: Subscription,
        states: States,
        begin: Begin,
        checkpoint_minutes: int,
        wall: Clock,
        tell: Log,
    ) -> None:
        self._subscription, self._states, self._begin = subscription, states, begin
        self._checkpoint_minutes, self._wall, self.log = checkpoint_minutes, wall, tell
        self.liveness = Liveness()
        self.leaving: list[Callable[[Monitor], None]] = []
        """Called with the monitor of each partition that is put down."""
        self._held: dict[int, Partition] = {}
        self._wanted: set[int] = set()
        self._archived: dict[int, tuple[int, int]] = {}
        """Partition → how many minutes and instructions its archived state has."""
        self._stop: Callable[[], bool] = lambda: False
        self._said: set[tuple[str, int]] = set()

    @property
    def monitors(self) -> Sequence[Monitor]:
        """Those of the partitions that are held."""
        return [one.monitor for one in list(self._held.values())]

    def run(self, stop: Callable[[], bool]) -> None:
        """Be a member until `stop` says so. Raises UsageError."""
        self._stop = stop
        self._subscription.join(self._assigned, self._revoked, self._lost)
        try:
            while not stop():
                self._turn()
        finally:
            try:
                self._revoked(list(self._held))  # while it is still a member, whose offsets count
            finally:
                self._lost(list(self._held))
                self._subscription.leave()

    def _turn(self) -> None:
        self.liveness.beat()
        for number in sorted(self._wanted)[:1]:  # one a turn, so that what is held goes on
            self._take_up(number)
        self._subscription.gather(TURN_S)
        for number, one in list(self._held.items()):
            self._deal_with(one, self._subscription.read.pop(number, ()))
            if not self._subscription.sure:
                one.clock.behind = True
            if self._due(number, one):
                self._hand_on(number, one)
        self._subscription.commit({number: one.kept for number, one in self._held.items() if one.kept is not None})
        if not self._subscription.sure:
            places = {number: one.position.following for number, one in self._held.items()}
            self._subscription.look({number: offset for number, offset in places.items() if offset is not None})

    @staticmethod
    def _deal_with(one: Partition, read: Sequence[Message]) -> None:
        """Records and, it may be, the end of a partition; then whatever time has brought."""
        records: list[Message] = []
        for message in read:
            if message.error() is None:
                records.append(message)
            else:
                one.take(records)
                records.clear()
                one.reached_end(message.offset())  # type: ignore[arg-type]
        one.take(records)
        one.tick()

    def _assigned(self, numbers: list[int]) -> None:
        self._wanted |= set(numbers)

    def _revoked(self, numbers: list[int]) -> None:
        for number in numbers:
            if one := self._held.get(number):
                # First, so that what they have delivered is no longer in the state that is handed on.
                one.stop_couriers()
                self._hand_on(number, one)
        self._lost(numbers)

    def _lost(self, numbers: list[int]) -> None:
        for number in numbers:
            self._wanted.discard(number)
            self._subscription.forget(number)
            if one := self._held.pop(number, None):
                one.close()
                for leave in self.leaving:
                    leave(one.monitor)
                self.log("partition put down", partition=number)

    def _take_up(self, number: int) -> None:
        """Begin with a partition; while its state cannot be had, it is tried again."""
        from confluent_kafka import KafkaException

        one = None
        try:
            offset = self._subscription.committed(number)
            self._states.take_up(number, offset, self._subscription.partitions())
            one = self._begin(number, LogClock(self._wall))
            one.monitor.stop = self._stop
            # A group without an offset has forgotten it, or its brokers have lost the log: its beginning is safe.
            start = None if offset is None else offset if one.kept is None else one.kept
            self._subscription.begin(number, start)
            one.begin(start or 0)
        except (ArchiveError, StateError, KafkaException) as error:
            if one is not None:
                one.close()
            self._say_once("partition waits", number, error)
            return
        self._said.discard(("partition waits", number))
        self._wanted.discard(number)
        self._held[number] = one
        self._archived[number] = one.done
        self.log("partition taken up", partition=number, nodes=len(one.monitor.nodes), offset=start)

    def _due(self, number: int, one: Partition) -> bool:
        minutes, obeyed = self._archived[number]
        return one.done[0] - minutes >= self._checkpoint_minutes or one.done[1] > obeyed

    def _hand_on(self, number: int, one: Partition) -> None:
        """Archive the state of a partition as it is on disk; what fails is tried again when it is next due."""
        from confluent_kafka import KafkaException

        if not self._subscription.sure:
            self._say_once("state not handed on", number, "brokers away")
            return
        self._archived[number] = one.done
        if one.kept is None:
            return
        try:
            self._states.hand_on(
                number, one.monitor.store, one.kept, lambda offset: self._subscription.commit_now(number, offset)
            )
        except (ArchiveError, StateError, KafkaException) as error:
            self._say_once("state not handed on", number, error)
        else:
            self._said.discard(("state not handed on", number))

    def _say_once(self, event: str, number: int, error: object) -> None:
        if (event, number) not in self._said:
            self._said.add((event, number))
            self.log(event, partition=number, detail=str(error))
