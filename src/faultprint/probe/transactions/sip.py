"""SIP messages → transactions: requests and responses paired on their leg, by the table in `states`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.privacy.pseudonyms import Hasher
from faultprint.probe.transactions.methods import MethodClassifier
from faultprint.probe.transactions.nodes import Leg, WatchedNodes
from faultprint.probe.transactions.states import CALL, DURATIONS, EVENTS, EXCHANGE, TransactionEvent
from faultprint.probe.transactions.tracker import UNWATCHED, TransactionTracker
from faultprint.probe.transactions.transaction import Row, Transaction
from faultprint.tables import Protocol

MAX_TRANSACTIONS: Final = 14_336

NO_REQUEST: Final = "response without its request"
NO_INVITE: Final = "ACK without its INVITE"

_REQUEST: Final = int(TransactionEvent.REQUEST)
_ACK: Final = int(TransactionEvent.ACK)


class SipTracker(TransactionTracker[SipMessage]):
    """Takes messages in the order of capture."""

    def __init__(
        self,
        nodes: WatchedNodes,
        network: str,
        hasher: Hasher,
        naming: MethodClassifier,
        emit: Callable[[Row], None],
        skipped: Counter[str],
    ) -> None:
        super().__init__(Protocol.SIP, MAX_TRANSACTIONS, DURATIONS, network, emit, skipped)
        self._nodes = nodes
        self._legs = nodes.legs
        self._hasher = hasher
        self._naming = naming

    def take(self, timestamp: int, wire: bytes, message: SipMessage) -> None:
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
            self.skipped[UNWATCHED] += 1
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

    def _acknowledge(self, timestamp: int, leg: Leg, message: SipMessage) -> None:
        """An ACK belongs to its INVITE: that of a failure by its branch, that of a 2xx, to the RFC a transaction of its
        own, by its call and by the way that it goes: a call from one subscriber to another may pass a leg twice."""
        key: int | None = hash((leg.pair, message.via, message.cseq, b"INVITE"))
        if key not in self._table:
            key = self._aliases.get(hash((leg.way, self._hasher.call(message.call_id), message.cseq)))
        if key is None:
            self.skipped[NO_INVITE] += 1
        else:
            self._apply(timestamp, key, self._table[key], _ACK, message)

    def _start(self, timestamp: int, key: int, leg: Leg, message: SipMessage, dialog: int) -> None:
        user, sides = self._naming.sides(timestamp, message, leg.watches, dialog)
        table = CALL if message.method == b"INVITE" else EXCHANGE
        transaction = Transaction(timestamp, table, user, dialog, sides, message.size)
        if table is CALL:
            transaction.alias = hash((leg.way, dialog, message.cseq))
        self._enter(key, transaction)

    def _succeed(self, timestamp: int, transaction: Transaction, message: SipMessage, key: int) -> None:
        self._answer(timestamp, transaction, message, key)
        if transaction.alias is not None and transaction.dialog is not None:
            self._aliases[transaction.alias] = key
            self._naming.answered(timestamp, transaction.sides, transaction.dialog)
        elif message.cseq_method == b"REGISTER":
            self._naming.registered(timestamp, transaction.sides, transaction.user, message)
