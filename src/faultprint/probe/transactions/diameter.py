"""Diameter messages → transactions of Cx (TS 29.229) and Rx (TS 29.214): pairs requests and answers.

An answer has the connection, hop-by-hop identifier and end-to-end identifier of its request (RFC 6733, 3). A request
that is sent again after a connection failure keeps only its end-to-end identifier and its session, so these are its
second key. An answer that uses another path of an SCTP association is found by the same key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.diameter import BAD_HEADER, DiameterMessage
from faultprint.probe.messages.dictionary import ApplicationId, CommandCode
from faultprint.probe.privacy.pseudonyms import Hasher
from faultprint.probe.transactions.nodes import IN, OUT, Leg, WatchedNodes
from faultprint.probe.transactions.states import DIAMETER_DURATIONS_US, NON_INVITE_TABLE, Queue, TransactionEvent
from faultprint.probe.transactions.tracker import CLOSED, UNWATCHED, TransactionTracker
from faultprint.probe.transactions.transaction import NodeView, Row, Transaction
from faultprint.tables import Interface, Method, Protocol

MAX_TRANSACTIONS: Final = 8192
MAX_SESSIONS: Final = 16_384
"""Rx sessions whose subscriber is kept: only the first request of a session names the subscriber."""

NO_REQUEST: Final = "Diameter answer without its request"
BASE_PROTOCOL: Final = "Diameter base protocol (capabilities, watchdog, disconnect)"
OTHER_APPLICATION: Final = "Diameter application other than Cx and Rx"

_BASE: Final = int(ApplicationId.COMMON)
_REQUEST: Final = int(TransactionEvent.REQUEST)
_TIMEOUT_US: Final = DIAMETER_DURATIONS_US[Queue.WAITING]
_OTHER: Final = Method.OTHER.value


class DiameterApplication(NamedTuple):
    """`commands`: code → method; any other code is `other`. `has_sessions`: whether a session has several requests."""

    interface: str
    commands: Mapping[int, str]
    has_sessions: bool


# Plain integers: looking up a member of an IntEnum for every message is slow.
APPLICATIONS: Final[Mapping[int, DiameterApplication]] = {
    int(ApplicationId.CX): DiameterApplication(
        Interface.CX.value,
        {
            int(CommandCode.USER_AUTHORIZATION): Method.UAR.value,
            int(CommandCode.SERVER_ASSIGNMENT): Method.SAR.value,
            int(CommandCode.LOCATION_INFO): Method.LIR.value,
            int(CommandCode.MULTIMEDIA_AUTH): Method.MAR.value,
        },
        has_sessions=False,
    ),
    int(ApplicationId.RX): DiameterApplication(
        Interface.RX.value,
        {
            int(CommandCode.RE_AUTH): Method.RAR.value,
            int(CommandCode.AA): Method.AAR.value,
            int(CommandCode.ABORT_SESSION): Method.ASR.value,
            int(CommandCode.SESSION_TERMINATION): Method.STR.value,
        },
        has_sessions=True,
    ),
}
"""Application id → interface and methods in the table."""
REQUESTS_TO_CSCF: Final = frozenset(
    (int(application), int(command))
    for application, command in (
        (ApplicationId.CX, CommandCode.REGISTRATION_TERMINATION),
        (ApplicationId.CX, CommandCode.PUSH_PROFILE),
        (ApplicationId.RX, CommandCode.RE_AUTH),
        (ApplicationId.RX, CommandCode.ABORT_SESSION),
    )
)
"""The requests that HSS (RTR, PPR) and PCRF (RAR, ASR) send. A CSCF sends all others."""


class DiameterTracker(TransactionTracker[DiameterMessage]):
    """Tracks Diameter transactions. `take` gets the messages in the order of capture."""

    def __init__(
        self, nodes: WatchedNodes, network: str, hasher: Hasher, emit: Callable[[Row], None], skipped: Counter[str]
    ) -> None:
        super().__init__(Protocol.DIAMETER, MAX_TRANSACTIONS, DIAMETER_DURATIONS_US, network, emit, skipped)
        self._nodes = nodes
        self._hasher = hasher
        self._users: BoundedTable[int, int] = BoundedTable(MAX_SESSIONS)

    @property
    def sessions(self) -> int:
        """How many sessions with a known subscriber are kept."""
        return len(self._users)

    def take(self, timestamp: int, leg_key: bytes, message: DiameterMessage) -> None:
        """One Diameter message on a leg, as a Decoder delivers it."""
        self.messages += 1
        if self._duplicates.is_duplicate(timestamp, leg_key, message.text, message.origin):
            self.duplicates += 1
            return
        application = APPLICATIONS.get(message.application)
        if message.defect == BAD_HEADER:
            self.malformed[BAD_HEADER] += 1
        elif application is None:
            self.skipped[OTHER_APPLICATION if message.application != _BASE else BASE_PROTOCOL] += 1
        else:
            usable = message.read_avps()
            if message.defect is not None:
                self.malformed[message.defect] += 1
            if usable:
                self._track(timestamp, self._nodes.leg(leg_key), leg_key, message, application)

    def _track(
        self, timestamp: int, leg: Leg, leg_key: bytes, message: DiameterMessage, application: DiameterApplication
    ) -> None:
        if not leg.watched_ends and leg.inside is None:
            self.skipped[UNWATCHED] += 1
            return
        dialog = self._hasher.call(message.session) if message.session else None
        key, alias = _keys(leg, leg_key, message, dialog)
        transaction = self._table.get(key)
        if transaction is not None and dialog is not None and transaction.dialog != dialog:
            if message.request:
                # This client starts with the same identifiers after each restart.
                self._remove(key, transaction)
            transaction = None
        if transaction is None and alias in self._aliases:
            key = self._aliases[alias]
            transaction = self._table[key]
        if transaction is not None:
            self._apply(timestamp, key, transaction, _event(message), message)
        elif self._closed and hash((key, dialog)) in self._closed:
            if message.request:
                self.retransmissions += 1
            else:
                self.skipped[CLOSED] += 1
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
        views = _views(leg, message, application.interface, method)
        user = self._user(message, dialog, application)
        transaction = Transaction(timestamp, NON_INVITE_TABLE, user, dialog, views, message.size, _TIMEOUT_US)
        if message.retransmit_flag:
            # The first copy was sent on another connection, or before the capture.
            transaction.retransmissions = 1
            self.retransmissions += 1
        self._add(key, transaction)
        if alias is not None:
            transaction.alias = alias
            self._aliases[alias] = key

    def _user(self, message: DiameterMessage, dialog: int | None, application: DiameterApplication) -> int | None:
        """The subscriber that this request names, or that an earlier request of its session named."""
        user = self._hasher.user(message.subscriber) if message.subscriber else None
        if dialog is not None and application.has_sessions:
            if user is None:
                return self._users.get(dialog)
            self._users.put(dialog, user)
        return user


def _views(leg: Leg, message: DiameterMessage, interface: str, method: str) -> tuple[NodeView, ...]:
    """One view for each watched end.

    A leg inside a node joins the CSCF with an HSS or PCRF on the same host. The node is then the CSCF.
    """
    if leg.inside is not None:
        direction = IN if (message.application, message.command) in REQUESTS_TO_CSCF else OUT
        return ((leg.inside, interface, direction, method, None),)
    return tuple([(end.node, interface, end.direction, method, None) for end in leg.watched_ends])


def _keys(leg: Leg, leg_key: bytes, message: DiameterMessage, dialog: int | None) -> tuple[int, int | None]:
    """The key of the message's transaction, and its second key without connection and hop-by-hop identifier."""
    source_port, target_port = leg_key[-4:-2], leg_key[-2:]
    ports = source_port + target_port if source_port < target_port else target_port + source_port
    key = hash((leg.pair, ports, message.command, message.hop_by_hop, message.end_to_end))
    if dialog is None:
        return key, None
    ends = [(end.node.name, end.direction) for end in leg.watched_ends]
    if not message.request:
        ends = [(name, OUT if direction == IN else IN) for name, direction in reversed(ends)]
    return key, hash((*ends, message.command, message.end_to_end, dialog))


def _event(message: DiameterMessage) -> int:
    if message.request:
        return _REQUEST
    return int(TransactionEvent.SUCCESS if 2000 <= message.status < 3000 else TransactionEvent.FAILURE)
