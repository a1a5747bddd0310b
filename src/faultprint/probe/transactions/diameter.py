"""Diameter messages → transactions of Cx (TS 29.229) and Rx (TS 29.214): requests and answers paired, by the table in
`states`.

An answer has its request's connection, hop-by-hop and end-to-end identifier (RFC 6733, 3). What is sent again after a
connection failed keeps only the last, and goes by its session. So does an answer that takes another path of an SCTP
association.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.diameter import BAD_HEADER, DiameterMessage
from faultprint.probe.privacy.pseudonyms import Hasher
from faultprint.probe.transactions.nodes import IN, OUT, Leg, WatchedNodes
from faultprint.probe.transactions.states import DIAMETER_DURATIONS, EXCHANGE, Queue, TransactionEvent
from faultprint.probe.transactions.tracker import UNWATCHED, TransactionTracker
from faultprint.probe.transactions.transaction import Row, Transaction
from faultprint.tables import Interface, Method, Protocol

MAX_TRANSACTIONS: Final = 8192
MAX_SESSIONS: Final = 16_384
"""Rx sessions whose subscriber is remembered: only the first request of one names him."""

NO_REQUEST: Final = "Diameter answer without its request"
BASE: Final = "Diameter between neighbours (capabilities, watchdog, disconnection)"
OTHER_APPLICATION: Final = "Diameter of another application than Cx and Rx"

_COMMON: Final = 0
_REQUEST: Final = int(TransactionEvent.REQUEST)
_PATIENCE: Final = DIAMETER_DURATIONS[Queue.WAITING]
_OTHER: Final = Method.OTHER.value


class DiameterApplication(NamedTuple):
    """`commands`: code → method; any other is `other`. `sessions`: whether a session has several requests."""

    interface: str
    commands: Mapping[int, str]
    sessions: bool


APPLICATIONS: Final[Mapping[int, DiameterApplication]] = {
    16777216: DiameterApplication(
        Interface.CX.value,
        {300: Method.UAR.value, 301: Method.SAR.value, 302: Method.LIR.value, 303: Method.MAR.value},
        sessions=False,
    ),
    16777236: DiameterApplication(
        Interface.RX.value,
        {258: Method.RAR.value, 265: Method.AAR.value, 274: Method.ASR.value, 275: Method.STR.value},
        sessions=True,
    ),
}
"""Application identifier → what the table calls its requests."""
TO_CSCF: Final = frozenset({(16777216, 304), (16777216, 305), (16777236, 258), (16777236, 274)})
"""Application and command of what HSS and PCRF ask: RTR and PPR, RAR and ASR. All else a CSCF asks them."""


class DiameterTracker(TransactionTracker[DiameterMessage]):
    """Takes messages in the order of capture."""

    def __init__(
        self, nodes: WatchedNodes, network: str, hasher: Hasher, emit: Callable[[Row], None], skipped: Counter[str]
    ) -> None:
        super().__init__(Protocol.DIAMETER, MAX_TRANSACTIONS, DIAMETER_DURATIONS, network, emit, skipped)
        self._nodes = nodes
        self._hasher = hasher
        self._users: BoundedTable[int, int] = BoundedTable(MAX_SESSIONS)

    def take(self, timestamp: int, wire: bytes, message: DiameterMessage) -> None:
        """One Diameter message on the leg `wire` (see Decoder)."""
        self.messages += 1
        if self._duplicates.seen(timestamp, wire, message.text):
            self.duplicates += 1
            return
        application = APPLICATIONS.get(message.application)
        if message.defect == BAD_HEADER:
            self.malformed[BAD_HEADER] += 1
        elif application is None:
            self.skipped[OTHER_APPLICATION if message.application != _COMMON else BASE] += 1
        else:
            usable = message.read()
            if message.defect is not None:
                self.malformed[message.defect] += 1
            if usable:
                self._use(timestamp, self._nodes.leg(wire), wire, message, application)

    def _use(
        self, timestamp: int, leg: Leg, wire: bytes, message: DiameterMessage, application: DiameterApplication
    ) -> None:
        if not leg.watches:
            self.skipped[UNWATCHED] += 1
            return
        dialog = self._hasher.call(message.session) if message.session else None
        key, alias = _names(leg, wire, message, dialog)
        transaction = self._table.get(key)
        if transaction is not None and dialog is not None and transaction.dialog != dialog:
            if message.request:
                # A client that begins with the same identifiers whenever it starts.
                self._forget(key, transaction)
            transaction = None
        if transaction is None and alias in self._aliases:
            key = self._aliases[alias]
            transaction = self._table[key]
        if transaction is not None:
            self._apply(timestamp, key, transaction, _event(message), message)
        elif message.request:
            self._start(timestamp, key, alias, leg, message, dialog, application)
        else:
            self.skipped[NO_REQUEST] += 1

    def _start(
        self,
        timestamp: int,
        key: int,
        alias: int | None,
        leg: Leg,
        message: DiameterMessage,
        dialog: int | None,
        application: DiameterApplication,
    ) -> None:
        method = application.commands.get(message.command, _OTHER)
        sides = tuple([(watch.node, application.interface, watch.direction, method, None) for watch in leg.watches])
        user = self._user(message, dialog, application)
        transaction = Transaction(timestamp, EXCHANGE, user, dialog, sides, message.size, _PATIENCE)
        if message.repeated:
            # It went out before, on a connection or at a time that nobody listened to.
            transaction.retransmissions = 1
            self.retransmissions += 1
        self._enter(key, transaction)
        if alias is not None:
            transaction.alias = alias
            self._aliases[alias] = key

    def _user(self, message: DiameterMessage, dialog: int | None, application: DiameterApplication) -> int | None:
        """The subscriber that the request names, or that an earlier one of its session did."""
        user = self._hasher.user(message.subscriber) if message.subscriber else None
        if dialog is not None and application.sessions:
            if user is None:
                return self._users.get(dialog)
            self._users.put(dialog, user)
        return user


def _names(leg: Leg, wire: bytes, message: DiameterMessage, dialog: int | None) -> tuple[int, int | None]:
    """The key of the message's transaction, and its name where connection and hop-by-hop identifier do not count."""
    one, other = wire[-4:-2], wire[-2:]
    ports = one + other if one < other else other + one
    key = hash((leg.pair, ports, message.command, message.hop_by_hop, message.end_to_end))
    if dialog is None:
        return key, None
    ends = [(watch.node.name, watch.direction) for watch in leg.watches]
    if not message.request:
        ends = [(name, OUT if direction == IN else IN) for name, direction in reversed(ends)]
    return key, hash((*ends, message.command, message.end_to_end, dialog))


def _event(message: DiameterMessage) -> int:
    if message.request:
        return _REQUEST
    return int(TransactionEvent.SUCCESS if 2000 <= message.status < 3000 else TransactionEvent.FAILURE)
