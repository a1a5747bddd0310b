"""The process that plays everything around the CSCFs: HSS, PCRF, DNS and application server.

Run as `python -m faultprint_lab.testbed.servers.start SETTINGS.json` inside the bed's `servers` namespace.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faultprint_lab.testbed.protocols import control, dns
from faultprint_lab.testbed.protocols.diameter import ApplicationId
from faultprint_lab.testbed.servers.application_server import ApplicationServer
from faultprint_lab.testbed.servers.diameter_server import DiameterServer, Misbehaviour, pcrf
from faultprint_lab.testbed.servers.hss import Hss


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What the process must know; written by the bed as JSON. Delays in seconds."""

    realm: str
    control: str
    seed: int
    subscribers: int
    application_server_share: float
    hss_address: str
    pcrf_address: str
    dns_address: str
    as_address: str
    scscf_isc_address: str
    zone: dict[str, str]
    dns_ttl: int
    dns_delay: float
    hss_delay: float
    pcrf_delay: float

    @classmethod
    def read(cls, path: Path) -> ServerSettings:
        """From the JSON file. Raises TypeError where a name is strange or lacking."""
        return cls(**json.loads(path.read_text()))


class NameServer(asyncio.DatagramProtocol):
    """Answers for one zone, after `delay` seconds drawn log-normally."""

    def __init__(self, zone: Mapping[str, str], ttl: int, delay: float, rng: np.random.Generator) -> None:
        self.delay = delay
        self.requests = 0
        self._zone, self._ttl, self._rng = zone, ttl, rng
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, source: Any) -> None:
        try:
            query = dns.decode_query(data)
        except dns.DnsError:
            return
        self.requests += 1
        answer = dns.encode_answer(query, self._zone, self._ttl)
        wait = self.delay * float(self._rng.lognormal(0.0, 0.25))
        asyncio.get_running_loop().call_later(wait, self._transport.sendto, answer, source)


@dataclass(slots=True)
class Servers:
    """The running servers and the orders that they take."""

    hss: DiameterServer
    pcrf: DiameterServer
    names: NameServer
    application_server: ApplicationServer
    normal_dns_delay: float

    def order(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """{"status": true}, or settings by part: hss, pcrf (a Misbehaviour), dns (delay), as (failing, silent)."""
        for part in ("hss", "pcrf"):
            if part in order:
                getattr(self, part).misbehaviour = Misbehaviour(**order[part])
        if "dns" in order:
            self.names.delay = self.normal_dns_delay + float(order["dns"]["delay"])
        if "as" in order:
            self.application_server.failing = float(order["as"]["failing"])
            self.application_server.silent = bool(order["as"].get("silent", False))
        return {
            "peers": [name for server in (self.hss, self.pcrf) for name, n in server.peers.items() if n > 0],
            "hss_requests": self.hss.requests,
            "pcrf_requests": self.pcrf.requests,
            "dns_requests": self.names.requests,
            "as_requests": self.application_server.requests,
            "hss": asdict(self.hss.misbehaviour),
        }


async def start(settings: ServerSettings) -> Servers:
    """Open every socket. The random streams are the parts' own, so that one's traffic does not move another's."""
    streams = [np.random.default_rng(seed) for seed in np.random.SeedSequence(settings.seed).spawn(4)]
    served = int(settings.subscribers * settings.application_server_share)
    cx = Hss(
        realm=settings.realm,
        scscf=f"sip:scscf.{settings.realm}:5060",
        application_server=f"sip:{settings.as_address}:5060",
        known=lambda user: user.startswith("user"),
        served=lambda user: user.removeprefix("user").isdecimal() and int(user.removeprefix("user")) < served,
    )
    hss = DiameterServer(
        f"hss.{settings.realm}", settings.realm, settings.hss_address, ApplicationId.CX, cx.answer, streams[0],
        settings.hss_delay,
    )  # fmt: skip
    policy = DiameterServer(
        f"pcrf.{settings.realm}", settings.realm, settings.pcrf_address, ApplicationId.RX, pcrf, streams[1],
        settings.pcrf_delay,
    )  # fmt: skip
    names = NameServer(settings.zone, settings.dns_ttl, settings.dns_delay, streams[2])
    server = ApplicationServer((settings.as_address, 5060), (settings.scscf_isc_address, 5060), streams[3])
    loop = asyncio.get_running_loop()
    await hss.listen()
    await policy.listen()
    await loop.create_datagram_endpoint(lambda: names, (settings.dns_address, 53))
    await loop.create_datagram_endpoint(lambda: server, (settings.as_address, 5060))
    return Servers(hss, policy, names, server, settings.dns_delay)


async def _main(path: Path) -> None:
    settings = ServerSettings.read(path)
    servers = await start(settings)
    await control.serve(Path(settings.control), servers.order)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
