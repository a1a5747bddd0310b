"""The open transactions of one protocol: states, timers and memory limits. Subclasses find a message's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, Generic, Protocol, TypeVar

from faultprint.probe.transactions.closed import ClosedTransactions
from faultprint.probe.transactions.duplicates import DuplicateFilter
from faultprint.probe.transactions.states import (
    INVITE_TABLE,
    NON_INVITE_TABLE,
    QUEUE_OF_STATE,
    Effect,
    Queue,
    TransactionEvent,
)
from faultprint.probe.transactions.transaction import NodeView, Row, Transaction
from faultprint.tables import Protocol as SignallingProtocol

_MAX_RESPONSES: Final = 16

UNWATCHED: Final = "message without a watched node"
EVICTED: Final = "transactions evicted (memory limit)"
CLOSED: Final = "answer to an evicted transaction"

_WAITING: Final = int(Queue.WAITING)
_RINGING: Final = int(Queue.RINGING)
_DONE: Final = int(Queue.DONE)
_PROVISIONAL: Final = int(TransactionEvent.PROVISIONAL)
_TIMER: Final = int(TransactionEvent.TIMER)
_TIME_OUT: Final = int(Effect.TIME_OUT)


class _TrackedMessage(Protocol):
    """What the tracker needs to know about a message."""

    text: bytes
    size: int
    status: int


M = TypeVar("M", bound=_TrackedMessage)


class TransactionTracker(Generic[M]):
    """Keeps the transactions of `protocol` by key. Gives each to `emit` when no later message can belong to it.

    `capacity`: how many transactions are kept. Beyond it, completed transactions leave before their timer; then the
    oldest open ones leave and count as timed out. That many are open only if responses no longer come. A fingerprint of
    each stays, so that its retransmissions are counted and do not open it again.
    `durations`: queue of `states` → µs. `skipped` counts the messages that are not used, by reason.
    """

    def __init__(
        self,
        protocol: SignallingProtocol,
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
        self._duplicates = DuplicateFilter()
        self._table: dict[int, Transaction] = {}
        self._queues: tuple[dict[int, Transaction], ...] = tuple({} for _ in Queue)
        self._closed = ClosedTransactions()
        self._aliases: dict[int, int] = {}
        """Second key of a transaction → its key."""
        # Indexed by Effect.
        self._effects = (
            self._count,
            self._request_again,
            self._provisional_response,
            self._final_response,
            self._success_response,
            self._response_again,
        )
        self.messages = 0
        self.duplicates = 0
        self.retransmissions = 0
        self.rows = 0
        self.open = 0
        self.timed_out = 0
        self.malformed: Counter[str] = Counter()
        self.skipped = skipped

    def __len__(self) -> int:
        """How many transactions are kept."""
        return len(self._table)

    @property
    def aliases(self) -> int:
        """How many second keys are kept."""
        return len(self._aliases)

    def count(self, timestamp: int, leg_key: bytes, message: M) -> None:
        """Count a message whose time is not known, and use it no further."""
        self.messages += 1

    def tick(self, now: int) -> None:
        """Run the timers to `now` (µs), the time of the capture."""
        self._closed.expire(now)
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
                    self._remove(key, transaction)

    def close(self) -> None:
        """Emit all transactions, those without an outcome as open: the capture ends or has a gap."""
        for transaction in self._table.values():
            self._emit_rows(transaction)
        self._table.clear()
        self._closed.clear()
        for queue in self._queues:
            queue.clear()
        self._aliases.clear()

    def pending(self) -> Iterator[Row]:
        """The rows of all transactions that are still kept, in their present state."""
        for transaction in self._table.values():
            for view in self._views(transaction) if transaction.ends else transaction.views:
                yield transaction.row(view, self._network, self._protocol)

    def _add(self, key: int, transaction: Transaction) -> None:
        """Keep a new transaction."""
        if len(self._table) >= self._capacity:
            self._evict(transaction.start)
        self._table[key] = self._queues[_WAITING][key] = transaction

    def _apply(self, timestamp: int, key: int, transaction: Transaction, event: int, message: M) -> None:
        """Apply the event of one message to its transaction."""
        transaction.messages += 1
        transaction.bytes += message.size
        state, effect = transaction.table[transaction.state][event]
        self._effects[effect](timestamp, transaction, message, key)
        if state != transaction.state or event == _PROVISIONAL:
            transaction.state = state
            queue = QUEUE_OF_STATE[transaction.table is INVITE_TABLE][state]
            # Each provisional response starts timer C again.
            if queue != transaction.queue or queue == _RINGING:
                self._move(key, transaction, queue, timestamp)

    def _move(self, key: int, transaction: Transaction, queue: int, since: int) -> None:
        del self._queues[transaction.queue][key]
        transaction.queue = queue
        transaction.deadline = since + self._durations[queue]
        self._queues[queue][key] = transaction

    def _remove(self, key: int, transaction: Transaction) -> None:
        """Emit a transaction and forget it."""
        del self._table[key], self._queues[transaction.queue][key]
        if transaction.alias is not None:
            self._aliases.pop(transaction.alias, None)
        self._emit_rows(transaction)

    def _emit_rows(self, transaction: Transaction) -> None:
        count = len(transaction.views)
        self.rows += count
        if transaction.status is None:
            if transaction.completion is None:
                self.open += count
            else:
                self.timed_out += count
        for view in self._views(transaction) if transaction.ends else transaction.views:
            self._emit(transaction.row(view, self._network, self._protocol))

    def _views(self, transaction: Transaction) -> tuple[NodeView, ...]:
        """The views of a transaction by what is known now, for one whose leg had no interface when it started."""
        return transaction.views

    def _evict(self, now: int) -> None:
        """Remove a sixteenth. Completed transactions leave first: only their late retransmissions are lost."""
        excess = self._capacity // 16
        for queue in (_DONE, _WAITING, _RINGING):
            for key, transaction in list(islice(self._queues[queue].items(), excess)):
                if queue != _DONE:
                    transaction.completion = now
                    self.skipped[EVICTED] += 1
                self._closed.add(now, self._fingerprint(key, transaction))
                self._remove(key, transaction)
                excess -= 1

    def _fingerprint(self, key: int, transaction: Transaction) -> int:
        """What identifies a transaction after its end."""
        return hash((key, transaction.dialog))

    # The effects of the state table.

    def _count(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        """Nothing more to do: `_apply` has counted the message."""

    def _request_again(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        transaction.retransmissions += 1
        self.retransmissions += 1

    def _provisional_response(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        if transaction.provisional is None:
            transaction.provisional = timestamp
        if transaction.ringing is None and 180 <= message.status < 190:
            transaction.ringing = timestamp
        self._is_retransmission(transaction, message)

    def _final_response(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        transaction.completion = timestamp
        transaction.status = message.status
        transaction.responses += (hash(message.text),)

    def _success_response(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        self._final_response(timestamp, transaction, message, key)

    def _response_again(self, timestamp: int, transaction: Transaction, message: M, key: int) -> None:
        if self._is_retransmission(transaction, message) or message.status != transaction.status:
            return
        # A different 2xx to an INVITE comes from another fork.
        if transaction.table is NON_INVITE_TABLE or message.status >= 300:
            transaction.response_retransmissions += 1
            self.retransmissions += 1

    def _is_retransmission(self, transaction: Transaction, message: M) -> bool:
        """Whether a response has the bytes of an earlier one; if so, count it."""
        response = hash(message.text)
        if response in transaction.responses:
            transaction.response_retransmissions += 1
            self.retransmissions += 1
            return True
        if len(transaction.responses) < _MAX_RESPONSES:
            transaction.responses += (response,)
        return False
