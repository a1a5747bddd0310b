"""A Diameter node on TCP: capabilities exchange, watchdog, and a handler for requests. Can be slow or return errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from faultprint.probe.messages.dictionary import VENDOR_3GPP, ApplicationId, AvpCode, CommandCode, ResultCode
from faultprint_lab.testbed.protocols.diameter import (
    HEADER,
    Avp,
    DiameterError,
    DiameterPdu,
    avp,
    decode,
    message_length,
)

LOG = logging.getLogger(__name__)
Handler = Callable[[DiameterPdu], tuple[Avp, ...]]


@dataclass(slots=True)
class ServerFault:
    """Injected fault of a server.

    delay         additional delay of each answer in seconds (log-normal)
    error_share   share of requests that are answered with `error_code`
    """

    delay: float = 0.0
    error_share: float = 0.0
    error_code: int = ResultCode.UNABLE_TO_COMPLY


@dataclass(slots=True)
class DiameterServer:
    """One Diameter node. `handler` answers the requests of `application`; the node answers the base protocol itself."""

    host: str
    realm: str
    address: str
    application: ApplicationId
    handler: Handler
    rng: np.random.Generator
    normal_delay: float = 0.0
    fault: ServerFault = field(default_factory=ServerFault)
    peers: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def listen(self, port: int = 3868) -> asyncio.Server:
        """Start to accept peers on `address`."""
        return await asyncio.start_server(self._peer, self.address, port)

    async def _peer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = ""
        try:
            while True:
                header = await reader.readexactly(HEADER)
                message = decode(header + await reader.readexactly(message_length(header) - HEADER))
                if message.command == CommandCode.CAPABILITIES_EXCHANGE and message.request:
                    name = message.text(AvpCode.ORIGIN_HOST)
                    self.peers[name] = self.peers.get(name, 0) + 1
                self._receive(message, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        except DiameterError as error:
            LOG.warning("%s: peer %s dropped: %s", self.host, name or "?", error)
        finally:
            if name:
                self.peers[name] -= 1
            writer.close()

    def _receive(self, message: DiameterPdu, writer: asyncio.StreamWriter) -> None:
        if not message.request:
            return
        base = _BASE_HANDLERS.get(message.command)
        if base is not None and message.application == ApplicationId.COMMON:
            writer.write(message.answer(*base(self)).encode())
            return
        self.requests += 1
        delay = self._delay()
        if delay <= 0:
            writer.write(self._answer(message).encode())
            return
        task = asyncio.ensure_future(self._answer_after(delay, message, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_after(self, delay: float, message: DiameterPdu, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(delay)
        if not writer.is_closing():
            writer.write(self._answer(message).encode())

    def _delay(self) -> float:
        typical = self.normal_delay + self.fault.delay
        return typical * float(self.rng.lognormal(0.0, 0.25)) if typical > 0 else 0.0

    def _answer(self, message: DiameterPdu) -> DiameterPdu:
        if self.rng.random() < self.fault.error_share:
            avps: tuple[Avp, ...] = (avp(AvpCode.RESULT_CODE, self.fault.error_code),)
        else:
            avps = self.handler(message)
        session = message.first(AvpCode.SESSION_ID)
        return message.answer(
            *((session,) if session else ()),
            *self.origin(),
            *_application(self.application),
            avp(AvpCode.AUTH_SESSION_STATE, 1 if self.application == ApplicationId.CX else 0),
            *avps,
        )

    def origin(self) -> tuple[Avp, ...]:
        """The AVPs Origin-Host and Origin-Realm."""
        return (avp(AvpCode.ORIGIN_HOST, self.host), avp(AvpCode.ORIGIN_REALM, self.realm))

    def capabilities(self) -> tuple[Avp, ...]:
        """The AVPs of a Capabilities-Exchange-Answer (RFC 6733, 5.3.2)."""
        packed = b"\0\x01" + bytes(int(part) for part in self.address.split("."))
        return (
            avp(AvpCode.RESULT_CODE, ResultCode.SUCCESS),
            *self.origin(),
            avp(AvpCode.HOST_IP_ADDRESS, packed),
            avp(AvpCode.VENDOR_ID, VENDOR_3GPP),
            avp(AvpCode.PRODUCT_NAME, "faultprint"),
            avp(AvpCode.SUPPORTED_VENDOR_ID, VENDOR_3GPP),
            *_application(self.application),
        )

    def success(self) -> tuple[Avp, ...]:
        """The AVPs of a watchdog or disconnect answer."""
        return (avp(AvpCode.RESULT_CODE, ResultCode.SUCCESS), *self.origin())


def _application(application: ApplicationId) -> tuple[Avp, ...]:
    identifiers = (avp(AvpCode.VENDOR_ID, VENDOR_3GPP), avp(AvpCode.AUTH_APPLICATION_ID, application))
    return (avp(AvpCode.VENDOR_SPECIFIC_APPLICATION_ID, identifiers),)


_BASE_HANDLERS: dict[int, Callable[[DiameterServer], tuple[Avp, ...]]] = {
    CommandCode.CAPABILITIES_EXCHANGE: DiameterServer.capabilities,
    CommandCode.DEVICE_WATCHDOG: DiameterServer.success,
    CommandCode.DISCONNECT_PEER: DiameterServer.success,
}


def pcrf(request: DiameterPdu) -> tuple[Avp, ...]:
    """The handler of a PCRF that grants every Rx request (TS 29.214)."""
    if request.command in (CommandCode.AA, CommandCode.SESSION_TERMINATION):
        return (avp(AvpCode.RESULT_CODE, ResultCode.SUCCESS),)
    return (avp(AvpCode.RESULT_CODE, ResultCode.COMMAND_UNSUPPORTED),)
