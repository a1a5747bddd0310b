"""Who may send HEP: listed agents, holders of a key, or, on the loopback interface alone, everybody."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from faultprint.errors import UsageError
from faultprint.units import SECOND_US

UDP, TCP, TLS = "udp", "tcp", "tls"
_CACHED: Final = 4096


class HepAddress(NamedTuple):
    """Where HEP is received. `transport`: udp, tcp or tls."""

    transport: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> HepAddress:
        """From HOST:PORT (UDP), udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT. Raises UsageError."""
        scheme, separator, rest = text.partition("://")
        transport, rest = (scheme, rest) if separator else (UDP, text)
        host, _, port = rest.rpartition(":")
        digits = port.isascii() and port.isdecimal() and len(port) <= 5
        if transport not in (UDP, TCP, TLS) or not host or not digits or not 0 < int(port) < 65_536:
            raise UsageError(
                f"{text!r} is no HOST:PORT for HEP; write it like 127.0.0.1:9060, tcp://127.0.0.1:9060 or "
                "tls://127.0.0.1:9061."
            )
        return cls(transport, host.strip("[]"), int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.transport == UDP else f"{self.transport}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HepOptions:
    """How HEP is received.

    agents       networks whose agents may send; empty: all
    key          authentication key that each packet must carry (chunk 14); None: none is needed
    bound_us     a stamp is believed up to this far from its arrival, after the offset of the agent's clock
    silence_us   an agent that was not heard for so long is silent
    certificate, certificate_key   PEM files for TLS
    """

    agents: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    key: bytes | None = None
    bound_us: int = 10 * SECOND_US
    silence_us: int = 180 * SECOND_US
    certificate: Path | None = None
    certificate_key: Path | None = None

    def check(self, address: HepAddress) -> None:
        """Raises UsageError if everybody in the network could send to this address, or if TLS lacks its files."""
        if not address.loopback and not self.agents and self.key is None:
            raise UsageError(
                f"HEP on {address} would let anyone who reaches it forge traffic; list the agents (--hep-agent CIDR, "
                "probe.hep_agents) or set a key (--hep-key-file FILE, probe.hep_key_file), or listen on 127.0.0.1."
            )
        if address.transport == TLS and (self.certificate is None or self.certificate_key is None):
            raise UsageError(
                f"HEP on {address} needs a certificate; set --hep-certificate and --hep-certificate-key "
                "(probe.hep_certificate, probe.hep_certificate_key)."
            )


class HepAccess:
    """Decides who may send. Answers are remembered by address."""

    def __init__(self, options: HepOptions) -> None:
        self._networks, self._key = options.agents, options.key
        self._listed: dict[str, bool] = {}

    def listed(self, address: str) -> bool:
        """Whether an agent may send from this IP address."""
        known = self._listed.get(address)
        if known is None:
            known = not self._networks or self._in_networks(address)
            if len(self._listed) >= _CACHED:
                self._listed.clear()
            self._listed[address] = known
        return known

    def authentic(self, key: bytes) -> bool:
        """Whether a packet with this key (chunk 14) may be used. Takes the same time for every wrong key."""
        return self._key is None or hmac.compare_digest(key, self._key)

    def _in_networks(self, address: str) -> bool:
        found = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks if network.version == found.version)


def parse_networks(texts: Sequence[str]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """The networks of an allow-list: addresses or CIDR. Raises UsageError."""
    try:
        return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts)
    except ValueError as error:
        raise UsageError(
            f"The list of HEP agents has no such network ({error}); write it like 192.0.2.0/24 or 192.0.2.7."
        ) from None


def read_key(path: Path) -> bytes:
    """The authentication key in the first line of a file. Raises UsageError."""
    try:
        with path.open("rb") as file:
            key = file.readline(4096).rstrip(b"\r\n")
    except OSError as error:
        raise UsageError(
            f"The HEP key cannot be read from {path} ({error.strerror}); make the file, or name another."
        ) from None
    if len(key) < 8:
        raise UsageError(
            f"The first line of {path} has {len(key)} bytes, but a HEP key has 8 or more; write a longer one."
        )
    return key
