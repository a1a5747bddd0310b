"""[http]: the server for metrics, health and alarms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from faultprint.errors import UsageError
from faultprint.monitor.base.setting_doc import SettingDoc
from faultprint.monitor.config.secret import NEW_TOKEN
from faultprint.publish.senders.endpoint import is_loopback


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """[http]: the server for metrics, health and alarms."""

    host: Annotated[
        str,
        SettingDoc(
            "name or address to listen on; `::`: all of IPv4 and IPv6; `unix:PATH`: a socket in the file system"
        ),
    ] = "127.0.0.1"
    port: Annotated[int, SettingDoc("TCP port; 0: no server", 0)] = 9273
    alarms: Annotated[bool, SettingDoc("serve the TMF642 alarm API: read, acknowledge, comment and clear")] = False
    token_file: Annotated[
        Path | None,
        SettingDoc(
            "file whose first line is the bearer token for the alarm API, 128 bits or more; required for changes, and unless "
            "`host` is loopback"
        ),
    ] = None
    metrics_token_file: Annotated[
        Path | None, SettingDoc("file whose first line is a bearer token for /metrics; default: metrics need no token")
    ] = None
    certificate: Annotated[Path | None, SettingDoc("certificate chain of the server (PEM file), for HTTPS")] = None
    certificate_key: Annotated[
        Path | None, SettingDoc("key of the certificate (PEM file); default: in the file of the certificate")
    ] = None
    allow_plaintext: Annotated[bool, SettingDoc("serve other machines without TLS")] = False

    def __post_init__(self) -> None:
        if self.alarms and not self.port:
            raise UsageError("http.alarms needs a server, but http.port is 0; set http.port.")
        if self.certificate_key and not self.certificate:
            raise UsageError("http.certificate_key is set without http.certificate; set both, or neither.")
        if not self.port or self.is_local:
            return
        if self.alarms and self.token_file is None:
            raise UsageError(
                f"http.alarms would let anyone who reaches {self.host} clear alarms; set http.token_file ({NEW_TOKEN} makes "
                "a token), or listen on 127.0.0.1."
            )
        if not (self.certificate or self.allow_plaintext):
            raise UsageError(
                f"http.host {self.host!r} is reached by other machines without TLS; set http.certificate and "
                "http.certificate_key, or http.allow_plaintext = true, or listen on 127.0.0.1."
            )

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine reach the server."""
        return self.host.startswith("unix:") or is_loopback(self.host)
