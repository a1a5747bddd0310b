"""The transactions under way of one protocol: states, timers and bounds, whatever names a message's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, Generic, Protocol, TypeVar

from faultprint.probe.transactions.duplicates import Duplicates
from faultprint.probe.transactions.states import CALL, EXCHANGE, QUEUES, Effect, Queue, TransactionEvent
from faultprint.probe.transactions.transaction import Row, Transaction
from faultprint.tables import Protocol as Signalling

_MAX_RESPONSES: Final = 16

UNWATCHED: Final = "message that no watched node sent or received"
EVICTED: Final = "transactions beyond memory"

_WAITING: Final = int(Queue.WAITING)
_RINGING: Final = int(Queue.RINGING)
_DONE: Final = int(Queue.DONE)
_PROVISIONAL: Final = int(TransactionEvent.PROVISIONAL)
_TIMER: Final = int(TransactionEvent.TIMER)
_TIME_OUT: Final = int(Effect.TIME_OUT)


class _Message(Protocol):
    """What the ledger needs to know of a message."""

    text: bytes
    size: int
    status: int


M = TypeVar("M", bound=_Message)


class TransactionTracker(Generic[M]):
    """Keeps the transactions of `protocol` by key; gives each to `emit` when nothing more can belong to it.

    `capacity`: held at once. When there are more, completed ones leave before their time, then the oldest open ones, which
    count as timed out: so many are open only where nobody answers any more. `durations`: queue of `states` → µs. What is
    not used is counted in `skipped`, by reason.
    """

    def __init__(
        self,
        protocol: Signalling,
        capacity: int,
        durations: Sequence[int],
        network: str,
        emit: Callable[[Row], None],
        skipped: Counter[str],
    ) -> None:
        self._protocol = protocol.value
        self._capacity = capacity
        self._durations = durations
        self._network = network
        self._emit = emit
        self._duplicates = Duplicates()
        self._table: dict[int, Transaction] = {}
        self._queues: tuple[dict[int, Transaction], ...] = tuple({} for _ in Queue)
        self._aliases: dict[int, int] = {}
        """Another name of a transaction → its key."""
        # Indexed by Effect.
        self._effects = (self._note, self._repeat, self._progress, self._answer, self._succeed, self._answer_again)
        self.messages = 0
        self.duplicates = 0
        self.retransmissions = 0
        self.rows = 0
        self.open = 0
        self.timed_out = 0
        self.malformed: Counter[str] = Counter()
        self.skipped = skipped

    def count(self, timestamp: int, wire: bytes, message: M) -> None:
        """A message whose time is not known."""
        self.messages += 1

    def tick(self, now: int) -> None:
        """Let the timers run to `now`, the time of the capture."""
        for queue in self._queues:
            expired = []
            for item in queue.items():
                if item[1].deadline > now:
                    break
                expired.append(item)
            for key, transaction in expired:
                transaction.state, effect = transaction.table[transaction.state][_TIMER]
                if effect == _TIME_OUT:
                    transaction.completion = transaction.deadline
                    self._move(key, transaction, _DONE, transaction.deadline)
                else:
                    self._forget(key, transaction)

    def close(self) -> None:
        """The listening ends or is interrupted: give out everything, what has no outcome as open."""
        for transaction in self._table.values():
            self._give_out(transaction)
        self._table.clear()
        for queue in self._queues:
            queue.clear()
        self._aliases.clear()

    def pending(self) -> Iterator[Row]:
        """The rows of all transactions that are still kept, as they stand now."""
        for transaction in self._table.values():
            for side in transaction.sides:
                yield transaction.row(side, self._network, self._protocol)

    def _enter(self, key: int, transaction: Transaction) -> None:
        """A transaction has begun."""
        if len(self._table) >= self._capacity:
            self._make_room(transaction.start)
        self._table[key] = self._queues[_WAITING][key] = transaction

    def _apply(self, timestamp: int, key: int, transaction: Transaction, event: int, message: M) -> None:
        transaction.messages += 1
        transaction.bytes += message.size
        state, effect = transaction.table[transaction.state][event]
        self._effects[effect](timestamp, transaction, message, key)
        if state != transaction.state or event == _PROVISIONAL:
            transaction.state = state
            queue = QUEUES[transaction.table is CALL][state]
            # Another provisional answer winds Timer C up again.
            if queue != transaction.queue or queue == _RINGING:
                self._move(key, transaction, queue, timestamp)

    def _move(self, key: int, transaction: Transaction, queue: int, since: int) -> None:
        del self._queues[transaction.queue][key]
        transaction.queue = queue
        transaction.deadline = since + self._durations[queue]
        self._queues[queue][key] = transaction

    def _forget(self, key: int, transaction: Transaction) -> None:
        """Nothing more can belong to it."""
        del self._table[key], self._queues[transaction.queue][key]
        if transaction.alias is not None:
            self._aliases.pop(transaction.alias, None)
        self._give_out(transaction)

    def _give_out(self, transaction: Transaction) -> None:
        count = len(transaction.sides)
        self.rows += count
        if transaction.status is None:
            if transaction.completion is None:
                self.open += count
            else:
                self.timed_out += count
        for side in transaction.sides:
            self._emit(transaction.row(side, self._network, self._protocol))

    def _make_room(self, now: int) -> None:
        """Forget a sixteenth: the completed first, as only their late retransmissions are lost."""
        excess = self._capacity // 16
        for queue in (_DONE, _WAITING, _RINGING):
            for key, transaction in list(islice(self._queues[queue].items(), excess)):
                if queue != _DONE:
                    transaction.completion = now
                    self.skipped[EVICTED] += 1
                self._forget(key, transaction)
                excess -= 1

    # What an effect of the state table does.

    def _note(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        """The message is counted already."""

    def _repeat(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        transaction.retransmissions += 1
        self.retransmissions += 1

    def _progress(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        if transaction.provisional is None:
            transaction.provisional = timestamp
        if transaction.ringing is None and 180 <= message.status < 190:
            transaction.ringing = timestamp
        self._is_repeated(transaction, message)

    def _answer(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        transaction.completion = timestamp
        transaction.status = message.status
        transaction.responses += (hash(message.text),)

    def _succeed(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        self._answer(timestamp, transaction, message, key)

    def _answer_again(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        if self._is_repeated(transaction, message) or message.status != transaction.status:
            return
        if transaction.table is EXCHANGE or message.status >= 300:
            transaction.response_retransmissions += 1
            self.retransmissions += 1
        # Else it is the 2xx of another branch that the INVITE was forked to.

    def _is_repeated(self, transaction: Transaction, message: M) -> bool:
        """Count a response whose very bytes came before."""
        mark = hash(message.text)
        if mark in transaction.responses:
            transaction.response_retransmissions += 1
            self.retransmissions += 1
            return True
        if len(transaction.responses) < _MAX_RESPONSES:
            transaction.responses += (mark,)
        return False
