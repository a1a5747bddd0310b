"""A Diameter node on TCP: capabilities exchange, watchdog, and a handler for requests; slow or failing when told to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from faultprint_lab.testbed.protocols.diameter import (
    HEADER,
    VENDOR_3GPP,
    ApplicationId,
    Avp,
    Code,
    Command,
    DiameterError,
    DiameterMessageCodec,
    Result,
    avp,
    decode,
    message_length,
)

LOG = logging.getLogger(__name__)
Handler = Callable[[DiameterMessageCodec], tuple[Avp, ...]]


@dataclass(slots=True)
class Misbehaviour:
    """What a server does wrong: `delay` before each answer (seconds, drawn log-normally around it), and the share of
    requests that are answered with `error_code`."""

    delay: float = 0.0
    error_share: float = 0.0
    error_code: int = Result.UNABLE_TO_COMPLY


@dataclass(slots=True)
class DiameterServer:
    """One node, `host` of `realm`. `handler` answers requests of `application`; base messages are answered here."""

    host: str
    realm: str
    address: str
    application: ApplicationId
    handler: Handler
    rng: np.random.Generator
    normal_delay: float = 0.0
    misbehaviour: Misbehaviour = field(default_factory=Misbehaviour)
    peers: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def listen(self, port: int = 3868) -> asyncio.Server:
        """Accept peers on `address`."""
        return await asyncio.start_server(self._peer, self.address, port)

    async def _peer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = ""
        try:
            while True:
                head = await reader.readexactly(HEADER)
                message = decode(head + await reader.readexactly(message_length(head) - HEADER))
                if message.command == Command.CAPABILITIES_EXCHANGE and message.request:
                    name = message.text(Code.ORIGIN_HOST)
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

    def _receive(self, message: DiameterMessageCodec, writer: asyncio.StreamWriter) -> None:
        if not message.request:
            return
        base = _BASE.get(message.command)
        if base is not None and message.application == ApplicationId.COMMON:
            writer.write(message.answer(*base(self)).encode())
            return
        self.requests += 1
        delay = self._delay()
        if delay <= 0:
            writer.write(self._answer(message).encode())
            return
        task = asyncio.ensure_future(self._later(delay, message, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, delay: float, message: DiameterMessageCodec, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(delay)
        if not writer.is_closing():
            writer.write(self._answer(message).encode())

    def _delay(self) -> float:
        typical = self.normal_delay + self.misbehaviour.delay
        return typical * float(self.rng.lognormal(0.0, 0.25)) if typical > 0 else 0.0

    def _answer(self, message: DiameterMessageCodec) -> DiameterMessageCodec:
        if self.rng.random() < self.misbehaviour.error_share:
            avps: tuple[Avp, ...] = (avp(Code.RESULT_CODE, self.misbehaviour.error_code),)
        else:
            avps = self.handler(message)
        session = message.first(Code.SESSION_ID)
        return message.answer(
            *((session,) if session else ()),
            *self.origin(),
            *_application(self.application),
            avp(Code.AUTH_SESSION_STATE, 1 if self.application == ApplicationId.CX else 0),
            *avps,
        )

    def origin(self) -> tuple[Avp, ...]:
        """Origin-Host and Origin-Realm."""
        return (avp(Code.ORIGIN_HOST, self.host), avp(Code.ORIGIN_REALM, self.realm))

    def capabilities(self) -> tuple[Avp, ...]:
        """A CEA's AVPs (RFC 6733, 5.3.2)."""
        packed = b"\0\x01" + bytes(int(part) for part in self.address.split("."))
        return (
            avp(Code.RESULT_CODE, Result.SUCCESS),
            *self.origin(),
            avp(Code.HOST_IP_ADDRESS, packed),
            avp(Code.VENDOR_ID, VENDOR_3GPP),
            avp(Code.PRODUCT_NAME, "faultprint"),
            avp(Code.SUPPORTED_VENDOR_ID, VENDOR_3GPP),
            *_application(self.application),
        )

    def success(self) -> tuple[Avp, ...]:
        """Answer to a watchdog or to a farewell."""
        return (avp(Code.RESULT_CODE, Result.SUCCESS), *self.origin())


def _application(application: ApplicationId) -> tuple[Avp, ...]:
    identifiers = (avp(Code.VENDOR_ID, VENDOR_3GPP), avp(Code.AUTH_APPLICATION_ID, application))
    return (avp(Code.VENDOR_SPECIFIC_APPLICATION_ID, identifiers),)


_BASE: dict[int, Callable[[DiameterServer], tuple[Avp, ...]]] = {
    Command.CAPABILITIES_EXCHANGE: DiameterServer.capabilities,
    Command.DEVICE_WATCHDOG: DiameterServer.success,
    Command.DISCONNECT_PEER: DiameterServer.success,
}


def pcrf(request: DiameterMessageCodec) -> tuple[Avp, ...]:
    """A policy function that grants every Rx request (TS 29.214)."""
    if request.command in (Command.AA, Command.SESSION_TERMINATION):
        return (avp(Code.RESULT_CODE, Result.SUCCESS),)
    return (avp(Code.RESULT_CODE, Result.COMMAND_UNSUPPORTED),)
