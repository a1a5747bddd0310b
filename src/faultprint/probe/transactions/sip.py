"""SIP messages → transactions: pairs requests and responses on their leg, by the table in `states`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.privacy.pseudonyms import Hasher
from faultprint.probe.transactions.methods import MethodClassifier
from faultprint.probe.transactions.nodes import Leg, WatchedNodes
from faultprint.probe.transactions.states import (
    EVENT_OF_STATUS,
    INVITE_TABLE,
    NON_INVITE_TABLE,
    SIP_DURATIONS_US,
    TransactionEvent,
)
from faultprint.probe.transactions.tracker import UNWATCHED, TransactionTracker
from faultprint.probe.transactions.transaction import Row, Transaction
from faultprint.tables import Protocol

MAX_TRANSACTIONS: Final = 14_336

NO_REQUEST: Final = "response without its request"
NO_INVITE: Final = "ACK without its INVITE"

_REQUEST: Final = int(TransactionEvent.REQUEST)
_ACK: Final = int(TransactionEvent.ACK)


class SipTracker(TransactionTracker[SipMessage]):
    """Tracks SIP transactions. `take` gets the messages in the order of capture."""

    def __init__(
        self,
        nodes: WatchedNodes,
        network: str,
        hasher: Hasher,
        classifier: MethodClassifier,
        emit: Callable[[Row], None],
        skipped: Counter[str],
    ) -> None:
        super().__init__(Protocol.SIP, MAX_TRANSACTIONS, SIP_DURATIONS_US, network, emit, skipped)
        self._nodes = nodes
        self._legs = nodes.legs
        self._hasher = hasher
        self._classifier = classifier

    def take(self, timestamp: int, leg_key: bytes, message: SipMessage) -> None:
        """One SIP message on a leg, as a Decoder delivers it."""
        self.messages += 1
        if self._duplicates.is_duplicate(timestamp, leg_key, message.text):
            self.duplicates += 1
            return
        usable = message.method != b"" and message.identify()
        if message.defect is not None:
            self.malformed[message.defect] += 1
        if not usable:
            return
        leg = self._legs.get(leg_key) or self._nodes.leg(leg_key)
        if not leg.watched_ends:
            self.skipped[UNWATCHED] += 1
            return
        method = message.cseq_method
        if message.status:
            key = hash((leg.pair, message.via, message.cseq, method))
            transaction = self._table.get(key)
            if transaction is None:
                self.skipped[NO_REQUEST] += 1
            else:
                self._apply(timestamp, key, transaction, EVENT_OF_STATUS[message.status], message)
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
                # This client uses one branch for all its requests.
                self._remove(key, transaction)
            self._start(timestamp, key, leg, message, dialog)

    def _acknowledge(self, timestamp: int, leg: Leg, message: SipMessage) -> None:
        """Apply an ACK to its INVITE.

        The ACK of a failure has the branch of its INVITE. For the RFC, the ACK of a 2xx is a transaction of its own.
        Here it belongs to the INVITE with its call, CSeq number and direction. The direction matters because a call
        between two subscribers of one network may pass a leg twice.
        """
        key: int | None = hash((leg.pair, message.via, message.cseq, b"INVITE"))
        if key not in self._table:
            key = self._aliases.get(hash((leg.directed_pair, self._hasher.call(message.call_id), message.cseq)))
        if key is None:
            self.skipped[NO_INVITE] += 1
        else:
            self._apply(timestamp, key, self._table[key], _ACK, message)

    def _start(self, timestamp: int, key: int, leg: Leg, message: SipMessage, dialog: int) -> None:
        user, views = self._classifier.classify(timestamp, message, leg.watched_ends, dialog)
        table = INVITE_TABLE if message.method == b"INVITE" else NON_INVITE_TABLE
        transaction = Transaction(timestamp, table, user, dialog, views, message.size)
        if table is INVITE_TABLE:
            transaction.alias = hash((leg.directed_pair, dialog, message.cseq))
        self._add(key, transaction)

    def _success_response(self, timestamp: int, transaction: Transaction, message: SipMessage, key: int) -> None:
        self._final_response(timestamp, transaction, message, key)
        if transaction.alias is not None and transaction.dialog is not None:
            self._aliases[transaction.alias] = key
            self._classifier.on_answered(timestamp, transaction.views, transaction.dialog)
        elif message.cseq_method == b"REGISTER":
            self._classifier.on_registered(timestamp, transaction.views, transaction.user, message)
