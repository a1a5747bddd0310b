"""The certificate of the HTTP server. A renewed one is used from the next connection on."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError
from faultprint.monitor.base.log import Log

LOOK_S: Final = 10.0
"""Time between two looks at the files, seconds."""


class ServerCertificate:
    """`context`: the TLS context with the certificate, TLS 1.2 or later."""

    def __init__(self, chain: Path, key: Path | None, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        """`chain`, `key`: PEM files; None: the key is in the file of the chain. Raises UsageError if they cannot be used."""
        self._chain, self._key, self._log, self._clock = chain, key, log, clock
        self._looked, self._version = clock(), self._file_version()
        try:
            self.context = self._loaded()
        except (OSError, ValueError) as error:
            raise UsageError(
                f"The certificate in {chain} cannot be used ({error}); give a PEM file in http.certificate, and its key "
                "without a password in http.certificate_key."
            ) from None

    def refresh(self) -> None:
        """Load the files again if they have changed. If they cannot be used, the old certificate stays."""
        now = self._clock()
        if now - self._looked < LOOK_S:
            return
        self._looked, version = now, self._file_version()
        if version == self._version:
            return
        self._version = version
        try:
            self._loaded()  # of two files only one may be new: the live context must not take half of a pair
            self.context.load_cert_chain(self._chain, self._key, "")
        except (OSError, ValueError) as error:
            self._log("certificate_unreadable", detail=str(error))
        else:
            self._log("certificate_loaded")

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Always pass a password: without one, OpenSSL would ask on the terminal and wait.
        context.load_cert_chain(self._chain, self._key, "")
        return context

    def _file_version(self) -> tuple[tuple[int, int], ...]:
        versions = []
        for path in (self._chain, self._key or self._chain):
            try:
                status = path.stat()
            except OSError:
                versions.append((0, 0))
            else:
                versions.append((status.st_mtime_ns, status.st_size))
        return tuple(versions)
