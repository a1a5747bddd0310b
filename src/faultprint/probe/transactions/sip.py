"""SIP messages → transactions: pairs requests and responses, by the table in `states`.

Branch, sent-by and method identify a transaction (RFC 3261, 17.1.3 and 17.2.3), whatever addresses its messages use: a
node with several addresses, an anycast address or a border controller may answer from another one. One branch on two
legs is two transactions, for example on both sides of a load balancer, or with a client that repeats its branches.
So a message belongs first to the transaction of its own leg. A response without one belongs to the transaction with its
branch whose Call-ID it has: a forger must guess both, which is harder than to forge an address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.messages.sip_header import CALL_ID
from faultprint.probe.privacy.pseudonyms import Hasher
from faultprint.probe.transactions.interfaces import UNKNOWN
from faultprint.probe.transactions.methods import MethodClassifier
from faultprint.probe.transactions.nodes import Leg, WatchedNodes
from faultprint.probe.transactions.states import (
    EVENT_OF_STATUS,
    INVITE_TABLE,
    NON_INVITE_TABLE,
    SIP_DURATIONS_US,
    TransactionEvent,
)
from faultprint.probe.transactions.tracker import CLOSED, UNWATCHED, TransactionTracker
from faultprint.probe.transactions.transaction import NodeView, Row, Transaction
from faultprint.tables import Protocol

MAX_TRANSACTIONS: Final = 14_336

NO_REQUEST: Final = "response without its request"
NO_INVITE: Final = "ACK without its INVITE"

_REQUEST: Final = int(TransactionEvent.REQUEST)
_ACK: Final = int(TransactionEvent.ACK)
_MAX_SHARED_BRANCHES: Final = 4096
_MAX_LEGS_OF_BRANCH: Final = 8
_MAX_ANSWERED: Final = 8192
_AMBIGUOUS: Final = 0
"""Instead of the key of a transaction: there are several."""


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
        self._shared_branches: BoundedTable[int, tuple[int, ...]] = BoundedTable(_MAX_SHARED_BRANCHES)
        """Key without addresses → keys of the transactions on further legs; some may have ended."""
        self._answered: BoundedTable[int, int] = BoundedTable(_MAX_ANSWERED)
        """Call, CSeq and one address of an INVITE → its key: for an ACK that another address sends or gets."""

    def take(self, timestamp: int, leg_key: bytes, message: SipMessage) -> None:
        """One SIP message on a leg, as a Decoder delivers it."""
        self.messages += 1
        if self._duplicates.is_duplicate(timestamp, leg_key, message.text, message.origin):
            self.duplicates += 1
            return
        usable = message.identify()
        if message.defect is not None:
            self.malformed[message.defect] += 1
        if not usable:
            return
        leg = self._legs.get(leg_key) or self._nodes.leg(leg_key)
        if message.status:
            branch = hash((message.via, message.cseq, message.cseq_method))
            transaction = self._table.get(branch)
            if transaction is not None and transaction.pair == leg.pair:
                self._apply(timestamp, branch, transaction, EVENT_OF_STATUS[message.status], message)
            else:
                self._respond_on_other_leg(timestamp, leg, message, branch)
        elif not leg.watched_ends:
            self.skipped[UNWATCHED] += 1
        elif message.method == b"ACK":
            self._acknowledge(timestamp, leg, message)
        else:
            self._request(timestamp, leg, message)

    def _request(self, timestamp: int, leg: Leg, message: SipMessage) -> None:
        branch = hash((message.via, message.cseq, message.cseq_method))
        dialog = self._hasher.call(message.call_id)
        key, transaction = branch, self._table.get(branch)
        if self._shared_branches if transaction is None else transaction.pair != leg.pair:
            other = hash((branch, leg.pair))
            on_leg = self._table.get(other)
            if transaction is not None or on_leg is not None:
                key, transaction = other, on_leg
        if transaction is not None and transaction.dialog == dialog:
            self._apply(timestamp, key, transaction, _REQUEST, message)
            return
        if transaction is not None:
            # This client uses one branch for all its requests.
            self._remove(key, transaction)
        elif self._closed and hash((branch, leg.pair, dialog)) in self._closed:
            self.retransmissions += 1
            return
        self._start(timestamp, key, branch, leg, message, dialog)

    def _respond_on_other_leg(self, timestamp: int, leg: Leg, message: SipMessage, branch: int) -> None:
        key, transaction = self._transaction_of_branch(branch, leg, message)
        if transaction is not None:
            self._apply(timestamp, key, transaction, EVENT_OF_STATUS[message.status], message)
        elif not leg.watched_ends:
            self.skipped[UNWATCHED] += 1
        elif self._closed and hash((branch, leg.pair, self._call_of(message))) in self._closed:
            self.skipped[CLOSED] += 1
        else:
            self.skipped[NO_REQUEST] += 1

    def _transaction_of_branch(self, branch: int, leg: Leg, message: SipMessage) -> tuple[int, Transaction | None]:
        """The transaction of a response: that of its leg, else one with its branch and call on another leg.

        Of several on other legs, those that share an address with the response go first, then the newest.
        """
        key = hash((branch, leg.pair))
        transaction = self._table.get(key)
        if transaction is not None:
            return key, transaction
        best_key, best, best_rank = branch, None, -1
        for key in (branch, *self._shared_branches.get(branch, ())):
            transaction = self._table.get(key)
            if transaction is None or transaction.branch != branch or transaction.dialog != self._call_of(message):
                continue
            ends = len(leg.source)
            has_target = leg.target in (transaction.pair[:ends], transaction.pair[ends:])
            has_source = leg.source in (transaction.pair[:ends], transaction.pair[ends:])
            rank = 2 * has_target + has_source
            if rank >= best_rank:
                best_key, best, best_rank = key, transaction, rank
        return best_key, best

    def _call_of(self, response: SipMessage) -> int:
        return self._hasher.call(response.get(CALL_ID) or b"")

    def _fingerprint(self, key: int, transaction: Transaction) -> int:
        return hash((transaction.branch, transaction.pair, transaction.dialog))

    def _acknowledge(self, timestamp: int, leg: Leg, message: SipMessage) -> None:
        """Apply an ACK to its INVITE.

        The ACK of a failure has the branch of its INVITE. For the RFC, the ACK of a 2xx is a transaction of its own.
        Here it belongs to the INVITE with its call, CSeq number and direction. The direction matters because a call
        between two subscribers of one network may pass a leg twice.
        """
        dialog = self._hasher.call(message.call_id)
        key = self._invite_of(leg, message, dialog)
        if key is None:
            self.skipped[NO_INVITE] += 1
        else:
            self._apply(timestamp, key, self._table[key], _ACK, message)

    def _invite_of(self, leg: Leg, message: SipMessage, dialog: int) -> int | None:
        """The key of an ACK's INVITE: on the same leg, else with one address in common."""
        branch = hash((message.via, message.cseq, b"INVITE"))
        transaction = self._table.get(branch)
        if transaction is not None and transaction.pair == leg.pair:
            return branch
        key = hash((branch, leg.pair))
        if key in self._table:
            return key
        if transaction is not None and transaction.dialog == dialog:
            return branch
        answered = self._aliases.get(hash((leg.directed_pair, dialog, message.cseq)))
        if answered is not None:
            return answered
        for end in (leg.target, leg.source):
            answered = self._answered.get(hash((end, dialog, message.cseq)), _AMBIGUOUS)
            if answered != _AMBIGUOUS and answered in self._table:
                return answered
        return None

    def _start(self, timestamp: int, key: int, branch: int, leg: Leg, message: SipMessage, dialog: int) -> None:
        user, views, bindings = self._classifier.classify(timestamp, message, leg.watched_ends, dialog)
        table = INVITE_TABLE if message.method == b"INVITE" else NON_INVITE_TABLE
        transaction = Transaction(timestamp, table, user, dialog, views, message.size)
        transaction.branch, transaction.pair = branch, leg.pair
        transaction.bindings = bindings
        if any(view[1] is UNKNOWN for view in views):
            transaction.ends = leg.watched_ends
        if key != branch:
            legs = self._shared_branches.get(branch, ())
            self._shared_branches.put(branch, (*legs[1 - _MAX_LEGS_OF_BRANCH :], key))
        if table is INVITE_TABLE:
            transaction.alias = hash((leg.directed_pair, dialog, message.cseq))
        self._add(key, transaction)

    def _views(self, transaction: Transaction) -> tuple[NodeView, ...]:
        return self._classifier.named(transaction)

    def _success_response(self, timestamp: int, transaction: Transaction, message: SipMessage, key: int) -> None:
        self._final_response(timestamp, transaction, message, key)
        if transaction.alias is not None and transaction.dialog is not None:
            self._aliases[transaction.alias] = key
            half = len(transaction.pair) // 2
            for end in (transaction.pair[:half], transaction.pair[half:]):
                known = hash((end, transaction.dialog, message.cseq))
                self._answered.put(known, _AMBIGUOUS if known in self._answered else key)
            self._classifier.on_answered(timestamp, transaction.views, transaction.dialog)
        elif message.cseq_method == b"REGISTER":
            self._classifier.on_registered(timestamp, transaction, message)
