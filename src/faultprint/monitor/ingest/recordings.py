"""Recorded files as sources."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faultprint import storage
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.monitor.base.interfaces import BatchSource
from faultprint.monitor.config.settings import ProbeSettings
from faultprint.monitor.ingest.files import MinutesFileSource, TransactionsFileSource
from faultprint.monitor.ingest.probe import parse_peers
from faultprint.probe.capture.run import NodeSpec, probe_captures
from faultprint.probe.privacy import key
from faultprint.tables import CATALOGUE_KEY

_PARQUET = b"PAR1"


@contextmanager
def open_recording(path: Path, model: Model, probe: ProbeSettings) -> Iterator[BatchSource]:
    """A source for a MINUTES file, a TRANSACTIONS file, or a capture, which the probe converts first.

    Raises TableError, CaptureError, ModelError or UsageError.
    """
    interval_us = model.manifest.interval_us
    with path.open("rb") as file:
        parquet = file.read(len(_PARQUET)) == _PARQUET
    if parquet and CATALOGUE_KEY in storage.metadata(path):
        yield MinutesFileSource(path, model.catalogue, interval_us)
        return
    if model.catalogue.hash != SIP_CATALOGUE.hash:
        raise UsageError(
            f"{path} would get the features of catalogue {SIP_CATALOGUE.name!r}, but the model needs {model.catalogue.name!r}; "
            "give a minutes file instead."
        )
    if parquet:
        yield TransactionsFileSource(path, interval_us)
        return
    with tempfile.TemporaryDirectory(prefix="faultprint-") as folder:
        made = Path(folder) / "transactions.parquet"
        probe_captures(
            [path],
            made,
            nodes=[NodeSpec.parse(node) for node in probe.nodes],
            network=probe.network,
            key=key.load_or_create(probe.key_file or key.default_path()),
            peers=parse_peers(probe),
        )
        yield TransactionsFileSource(made, interval_us)
