"""Where an HTTP sender posts to, and as whom. Checked when it is made, so that a wrong word stops the start, not an alarm."""

from __future__ import annotations

import base64
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from faultprint.errors import UsageError


@dataclass(frozen=True, slots=True)
class Basic:
    """Basic authentication (RFC 7617). The password never shows."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Client authentication by TLS: PEM files of the certificate chain and its key."""

    chain: Path
    key: Path
    key_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver.

    url             http:// or https://, without credentials or fragment; a message's path is put behind its path. It may
                    hold a token in its query, as webhooks' do, and so does not show
    authorities     PEM file of the authorities that the receiver's certificate must come from (none: the system's)
    timeout_s       for one attempt in whole: connecting, sending, and all of the answer
    answer_bytes    of an answer's body, read at most
    plain_password  let a password pass over http:// to another machine
    """

    url: str = field(repr=False)
    basic: Basic | None = None
    certificate: Certificate | None = None
    authorities: Path | None = None
    timeout_s: float = 10.0
    answer_bytes: int = 65_536
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    plain_password: bool = False

    def __post_init__(self) -> None:
        url = self._split()
        if url.scheme not in ("http", "https") or not url.hostname:
            raise UsageError(f"{_bare(self.url)} is no http:// or https:// address of a host; give one.")
        if url.username is not None or url.fragment:
            raise UsageError(
                f"{_bare(self.url)}: credentials and fragment cannot stand in the address; set them apart."
            )
        if not 0 < self.timeout_s < float("inf") or self.answer_bytes < 0:
            raise UsageError(
                f"A time-out of {self.timeout_s} s or an answer of {self.answer_bytes} bytes cannot be; give more."
            )
        if self.basic and not self.secure and not is_loopback(url.hostname) and not self.plain_password:
            raise UsageError(
                f"{_bare(self.url)}: a password would cross the network in the clear; use https or set plain_password."
            )
        if not self.secure and (self.certificate or self.authorities):
            raise UsageError(f"{_bare(self.url)}: certificates need https://; change the address or leave them out.")
        if self.basic and ":" in self.basic.user:
            raise UsageError(f"The user {self.basic.user!r} must not hold a colon (RFC 7617); give another.")
        self.fixed_headers()
        self.context()

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self._split().scheme == "https"

    @property
    def host(self) -> str:
        """The host's name or address, an IPv6 one without brackets."""
        return self._split().hostname or ""

    @property
    def port(self) -> int:
        """The port given, or the scheme's."""
        return self._split().port or (443 if self.secure else 80)

    def target(self, path: str) -> str:
        """The request target of a message's path."""
        url = self._split()
        found = url.path.rstrip("/") + path if path else url.path or "/"
        return f"{found}?{url.query}" if url.query else found

    def fixed_headers(self) -> dict[str, str]:
        """The headers of every request. Raises UsageError for one that would break the request."""
        standard = 443 if self.secure else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        found = {"Host": host if self.port == standard else f"{host}:{self.port}", **self.headers}
        if self.basic:
            pair = f"{self.basic.user}:{self.basic.password}".encode()
            found["Authorization"] = f"Basic {base64.b64encode(pair).decode('ascii')}"
        for name, value in found.items():
            if not (name.isascii() and name.replace("-", "").isalnum() and value.isascii() and value.isprintable()):
                raise UsageError(f"The header {name!r} cannot be sent: it must be printable ASCII; correct it.")
        return found

    def context(self) -> ssl.SSLContext | None:
        """A new TLS context, so that a renewed certificate is used from the next connection on; None for http.

        The receiver's certificate and name are always checked. Raises UsageError for files that cannot be used.
        """
        if not self.secure:
            return None
        try:
            context = ssl.create_default_context(cafile=self.authorities)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if own := self.certificate:
                # A password is always given: without one OpenSSL would ask the terminal, and wait.
                context.load_cert_chain(own.chain, own.key, own.key_password)
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            raise UsageError(
                f"The certificates for {_bare(self.url)} cannot be used ({error}); check files and password."
            ) from None
        return context

    def _split(self) -> SplitResult:
        try:
            found = urlsplit(self.url)
            _ = found.port
        except ValueError:
            # The error's own words quote what may be a password.
            raise UsageError(f"{_bare(self.url)} is no address, or has no port from 0 to 65535; give one.") from None
        if not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            raise UsageError(f"{_bare(self.url)} must be printable ASCII without spaces; encode it.")
        return found


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bare(url: str) -> str:
    """What of an address may be shown: scheme and host. The rest may hold a password or a webhook's token."""
    try:
        found = urlsplit(url)
        return f"{found.scheme}://{found.hostname}" if found.hostname else "The address"
    except ValueError:
        return "The address"
