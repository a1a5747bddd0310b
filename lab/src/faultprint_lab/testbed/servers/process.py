"""The process that simulates the servers around the CSCFs: HSS, PCRF, DNS and application server.

Run as `python -m faultprint_lab.testbed.servers.process SETTINGS.json` inside the bed's `servers` namespace.
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

from faultprint.probe.messages.dictionary import ApplicationId
from faultprint_lab.testbed.protocols import control, dns
from faultprint_lab.testbed.servers.application_server import ApplicationServer
from faultprint_lab.testbed.servers.diameter_server import DiameterServer, ServerFault, pcrf
from faultprint_lab.testbed.servers.hss import Hss


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Settings of the process, which the bed writes as JSON. Delays are seconds."""

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
        """Read the JSON file. Raises TypeError for an unknown or missing name."""
        return cls(**json.loads(path.read_text()))


class NameServer(asyncio.DatagramProtocol):
    """An authoritative DNS server for one zone; the delay is log-normal around `delay` seconds."""

    def __init__(self, zone: Mapping[str, str], ttl: int, delay: float, rng: np.random.Generator) -> None:
        self.delay = delay
        self.requests = 0
        self._zone, self._ttl, self._rng = zone, ttl, rng
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, source: Any) -> None:
        try:
            response = dns.answer(data, self._zone, self._ttl)
        except dns.DnsError:
            return
        self.requests += 1
        wait = self.delay * float(self._rng.lognormal(0.0, 0.25))
        asyncio.get_running_loop().call_later(wait, self._transport.sendto, response, source)


@dataclass(slots=True)
class Servers:
    """The running servers, and the commands that they accept."""

    hss: DiameterServer
    pcrf: DiameterServer
    names: NameServer
    application_server: ApplicationServer
    normal_dns_delay: float

    def handle_command(self, command: Mapping[str, Any]) -> Mapping[str, Any]:
        """Execute a command and return the state.

        {"status": true}, or faults by server: hss and pcrf (fields of ServerFault), dns (delay), as (failing, silent).
        """
        for part in ("hss", "pcrf"):
            if part in command:
                getattr(self, part).fault = ServerFault(**command[part])
        if "dns" in command:
            self.names.delay = self.normal_dns_delay + float(command["dns"]["delay"])
        if "as" in command:
            self.application_server.failing = float(command["as"]["failing"])
            self.application_server.silent = bool(command["as"].get("silent", False))
        return {
            "peers": [name for server in (self.hss, self.pcrf) for name, count in server.peers.items() if count > 0],
            "hss_requests": self.hss.requests,
            "pcrf_requests": self.pcrf.requests,
            "dns_requests": self.names.requests,
            "as_requests": self.application_server.requests,
            "hss": asdict(self.hss.fault),
        }


async def start(settings: ServerSettings) -> Servers:
    """Open all sockets. Each server has its own random stream, so that they do not affect each other."""
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
    await control.serve(Path(settings.control), servers.handle_command)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
