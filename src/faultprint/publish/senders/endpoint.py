"""The receiver of an HTTP sender, and our credentials. It is checked at start, so that a wrong setting cannot stop an alarm."""

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
class BasicAuth:
    """Basic authentication (RFC 7617). The password is not printed."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """TLS client authentication: PEM files of the certificate chain and of its key."""

    chain: Path
    key: Path
    key_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a receiver and how to connect to it.

    url                       http:// or https://, without credentials or fragment. The path of a message is appended to its path.
                              It is not printed, because the query of a webhook's URL can contain a token
    ca_file                   PEM file of the certificate authorities for the receiver; None: those of the system
    timeout_s                 for a complete attempt: connect, send, and receive the whole response
    max_response_bytes        how much of the body of a response is read
    allow_plaintext_password  send the password over http:// to another machine
    """

    url: str = field(repr=False)
    basic: BasicAuth | None = None
    certificate: ClientCertificate | None = None
    ca_file: Path | None = None
    timeout_s: float = 10.0
    max_response_bytes: int = 65_536
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    allow_plaintext_password: bool = False

    def __post_init__(self) -> None:
        url = self._split()
        if url.scheme not in ("http", "https") or not url.hostname:
            raise UsageError(f"{_redacted(self.url)} is not an http:// or https:// URL with a host; correct it.")
        if url.username is not None or url.fragment:
            raise UsageError(
                f"{_redacted(self.url)}: the URL must not contain credentials or a fragment; use the settings for credentials."
            )
        if not 0 < self.timeout_s < float("inf") or self.max_response_bytes < 0:
            raise UsageError(
                f"A timeout of {self.timeout_s} s or a response of {self.max_response_bytes} bytes is not possible; "
                "give a finite timeout above 0, and 0 bytes or more."
            )
        if self.basic and not (self.uses_tls or is_loopback(url.hostname) or self.allow_plaintext_password):
            raise UsageError(
                f"{_redacted(self.url)}: the password would cross the network unencrypted; "
                "use https, or set allow_plaintext_password."
            )
        if not self.uses_tls and (self.certificate or self.ca_file):
            raise UsageError(f"{_redacted(self.url)}: certificates need https://; change the URL or remove them.")
        if self.basic and ":" in self.basic.user:
            raise UsageError(
                f"The user {self.basic.user!r} contains a colon, which RFC 7617 forbids; give another user."
            )
        self.fixed_headers()
        self.tls_context()

    @property
    def uses_tls(self) -> bool:
        """Whether the scheme is https."""
        return self._split().scheme == "https"

    @property
    def host(self) -> str:
        """The host name or address; an IPv6 address without brackets."""
        return self._split().hostname or ""

    @property
    def port(self) -> int:
        """The port in the URL, or the default of the scheme."""
        return self._split().port or (443 if self.uses_tls else 80)

    def request_target(self, path: str) -> str:
        """The request target for the path of a message."""
        url = self._split()
        target = url.path.rstrip("/") + path if path else url.path or "/"
        return f"{target}?{url.query}" if url.query else target

    def fixed_headers(self) -> dict[str, str]:
        """The headers of every request. Raises UsageError for a header that would break the request."""
        default_port = 443 if self.uses_tls else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        headers = {"Host": host if self.port == default_port else f"{host}:{self.port}", **self.headers}
        if self.basic:
            credentials = f"{self.basic.user}:{self.basic.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(credentials).decode('ascii')}"
        for name, value in headers.items():
            if not (name.isascii() and name.replace("-", "").isalnum() and value.isascii() and value.isprintable()):
                raise UsageError(f"The header {name!r} is not printable ASCII; correct its name or value.")
        return headers

    def tls_context(self) -> ssl.SSLContext | None:
        """A new TLS context; None for http. It is created for each connection, so that a renewed certificate is used.

        The certificate and the name of the receiver are always checked. Raises UsageError for unusable files.
        """
        if not self.uses_tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if certificate := self.certificate:
                # Always pass a password: without one, OpenSSL would ask on the terminal and wait.
                context.load_cert_chain(certificate.chain, certificate.key, certificate.key_password)
        except (OSError, ValueError) as error:  # SSLError is a subclass of OSError
            raise UsageError(
                f"The certificates for {_redacted(self.url)} cannot be used ({error}); check files and password."
            ) from None
        return context

    def _split(self) -> SplitResult:
        try:
            url = urlsplit(self.url)
            _ = url.port
        except ValueError:
            # Do not repeat the text of this error: it can contain a password.
            raise UsageError(
                f"{_redacted(self.url)} is not a valid URL with a port from 0 to 65535; correct it."
            ) from None
        if not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            raise UsageError(f"{_redacted(self.url)} must be printable ASCII without spaces; encode it.")
        return url


def is_loopback(host: str) -> bool:
    """Whether a host name or address is that of this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _redacted(url: str) -> str:
    """The part of a URL that may be printed: scheme and host. The rest can contain a password or a token."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "The URL"
    except ValueError:
        return "The URL"
