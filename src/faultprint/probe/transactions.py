"""Messages → transactions: requests and responses paired on their leg, by the table in `states`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Final

from faultprint.probe.duplicates import Duplicates
from faultprint.probe.identity import Hasher
from faultprint.probe.message import Message
from faultprint.probe.naming import Naming
from faultprint.probe.nodes import Leg, Nodes
from faultprint.probe.states import DURATIONS, EVENTS, INVITE, NON_INVITE, QUEUES, Effect, Event, Queue, dense
from faultprint.probe.transaction import Row, Transaction

MAX_TRANSACTIONS: Final = 14_336
"""Held at once. When there are more, completed ones leave before their time, then the oldest open ones, which count as
timed out: so many are open only where nobody answers any more."""
_MAX_RESPONSES: Final = 16

FOREIGN: Final = "message that no watched node sent or received"
NO_REQUEST: Final = "response without its request"
NO_INVITE: Final = "ACK without its INVITE"
CROWDED: Final = "transactions beyond memory"

_WAITING: Final = int(Queue.WAITING)
_RINGING: Final = int(Queue.RINGING)
_DONE: Final = int(Queue.DONE)
_REQUEST: Final = int(Event.REQUEST)
_ACK: Final = int(Event.ACK)
_PROVISIONAL: Final = int(Event.PROVISIONAL)
_TIMER: Final = int(Event.TIMER)
_TIME_OUT: Final = int(Effect.TIME_OUT)
_INVITE: Final = dense(INVITE)
_NON_INVITE: Final = dense(NON_INVITE)


class Transactions:
    """Takes messages in the order of capture, gives each transaction to `emit` when nothing more can belong to it."""

    def __init__(self, nodes: Nodes, network: str, hasher: Hasher, naming: Naming, emit: Callable[[Row], None]) -> None:
        self._nodes = nodes
        self._legs = nodes.legs
        self._network = network
        self._hasher = hasher
        self._naming = naming
        self._emit = emit
        self._duplicates = Duplicates()
        self._table: dict[int, Transaction] = {}
        self._queues: tuple[dict[int, Transaction], ...] = tuple({} for _ in Queue)
        self._unacknowledged: dict[int, int] = {}
        # Indexed by Effect.
        self._effects = (self._note, self._repeat, self._progress, self._answer, self._answer_again)
        self.messages = 0
        self.duplicates = 0
        self.retransmissions = 0
        self.rows = 0
        self.open = 0
        self.timed_out = 0
        self.malformed: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    def count(self, timestamp: int, wire: bytes, message: Message) -> None:
        """A message whose time is not known."""
        self.messages += 1

    def take(self, timestamp: int, wire: bytes, message: Message) -> None:
        """One SIP message on the leg `wire` (see Decoder)."""
        self.messages += 1
        if self._duplicates.seen(timestamp, wire, message.text):
            self.duplicates += 1
            return
        usable = message.method != b"" and message.identify()
        if message.defect is not None:
            self.malformed[message.defect] += 1
        if not usable:
            return
        leg = self._legs.get(wire) or self._nodes.leg(wire)
        if not leg.watches:
            self.skipped[FOREIGN] += 1
            return
        method = message.cseq_method
        if message.status:
            key = hash((leg.pair, message.via, message.cseq, method))
            transaction = self._table.get(key)
            if transaction is None:
                self.skipped[NO_REQUEST] += 1
            else:
                self._apply(timestamp, key, transaction, EVENTS[message.status], message)
        elif method == b"ACK":
            self._acknowledge(timestamp, leg, message)
        else:
            key = hash((leg.pair, message.via, message.cseq, method))
            dialog = self._hasher.call(message.call_id)
            transaction = self._table.get(key)
            if transaction is not None and transaction.dialog == dialog:
                self._apply(timestamp, key, transaction, _REQUEST, message)
                return
            if transaction is not None:
                # A client that gives every request the same branch.
                self._forget(key, transaction)
            self._start(timestamp, key, leg, message, dialog)

    def _acknowledge(self, timestamp: int, leg: Leg, message: Message) -> None:
        """An ACK belongs to its INVITE: that of a failure by its branch, that of a 2xx, to the RFC a transaction of its
        own, by its call."""
        key: int | None = hash((leg.pair, message.via, message.cseq, b"INVITE"))
        if key not in self._table:
            key = self._unacknowledged.get(hash((leg.pair, self._hasher.call(message.call_id), message.cseq)))
        if key is None:
            self.skipped[NO_INVITE] += 1
        else:
            self._apply(timestamp, key, self._table[key], _ACK, message)

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
        self._unacknowledged.clear()

    def _start(self, timestamp: int, key: int, leg: Leg, message: Message, dialog: int) -> None:
        if len(self._table) >= MAX_TRANSACTIONS:
            self._make_room(timestamp)
        user, sides = self._naming.sides(timestamp, message, leg.watches, dialog)
        table = _INVITE if message.method == b"INVITE" else _NON_INVITE
        transaction = Transaction(timestamp, table, user, dialog, sides, message.size)
        if table is _INVITE:
            transaction.ack_key = hash((leg.pair, dialog, message.cseq))
        self._table[key] = self._queues[_WAITING][key] = transaction

    def _apply(self, timestamp: int, key: int, transaction: Transaction, event: int, message: Message) -> None:
        transaction.messages += 1
        transaction.bytes += message.size
        state, effect = transaction.table[transaction.state][event]
        self._effects[effect](timestamp, transaction, message, key)
        if state != transaction.state or event == _PROVISIONAL:
            transaction.state = state
            queue = QUEUES[transaction.table is _INVITE][state]
            # Another provisional answer winds Timer C up again.
            if queue != transaction.queue or queue == _RINGING:
                self._move(key, transaction, queue, timestamp)

    def _move(self, key: int, transaction: Transaction, queue: int, since: int) -> None:
        del self._queues[transaction.queue][key]
        transaction.queue = queue
        transaction.deadline = since + DURATIONS[queue]
        self._queues[queue][key] = transaction

    def _forget(self, key: int, transaction: Transaction) -> None:
        """Nothing more can belong to it."""
        del self._table[key], self._queues[transaction.queue][key]
        if transaction.ack_key is not None:
            self._unacknowledged.pop(transaction.ack_key, None)
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
            self._emit(transaction.row(side, self._network))

    def _make_room(self, now: int) -> None:
        """Forget a sixteenth: the completed first, as only their late retransmissions are lost."""
        excess = MAX_TRANSACTIONS // 16
        for queue in (_DONE, _WAITING, _RINGING):
            for key, transaction in list(islice(self._queues[queue].items(), excess)):
                if queue != _DONE:
                    transaction.completion = now
                    self.skipped[CROWDED] += 1
                self._forget(key, transaction)
                excess -= 1

    # What an effect of the state table does.

    def _note(self, timestamp: int, transaction: Transaction, message: Message, key: int) -> None:
        """The message is counted already."""

    def _repeat(self, timestamp: int, transaction: Transaction, message: Message, key: int) -> None:
        transaction.retransmissions += 1
        self.retransmissions += 1

    def _progress(self, timestamp: int, transaction: Transaction, message: Message, key: int) -> None:
        if transaction.provisional is None:
            transaction.provisional = timestamp
        if transaction.ringing is None and 180 <= message.status < 190:
            transaction.ringing = timestamp
        self._is_repeated(transaction, message)

    def _answer(self, timestamp: int, transaction: Transaction, message: Message, key: int) -> None:
        transaction.completion = timestamp
        transaction.status = message.status
        transaction.responses += (hash(message.text),)
        if 200 <= message.status < 300:
            if transaction.ack_key is not None:
                self._unacknowledged[transaction.ack_key] = key
                self._naming.answered(timestamp, transaction.sides, transaction.dialog)
            elif message.cseq_method == b"REGISTER":
                self._naming.registered(timestamp, transaction.sides, transaction.user, message)

    def _answer_again(self, timestamp: int, transaction: Transaction, message: Message, key: int) -> None:
        if self._is_repeated(transaction, message) or message.status != transaction.status:
            return
        if transaction.table is _NON_INVITE or message.status >= 300:
            transaction.response_retransmissions += 1
            self.retransmissions += 1
        # Else it is the 2xx of another branch that the INVITE was forked to.

    def _is_repeated(self, transaction: Transaction, message: Message) -> bool:
        """Count a response whose very bytes came before."""
        mark = hash(message.text)
        if mark in transaction.responses:
            transaction.response_retransmissions += 1
            self.retransmissions += 1
            return True
        if len(transaction.responses) < _MAX_RESPONSES:
            transaction.responses += (mark,)
        return False
