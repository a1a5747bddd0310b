"""The public functions: each stage of the flow as one call, with files or data frames in and out.

`import faultprint as fp` offers these names (`faultprint.__all__`). They wrap the stages and add no behaviour. Every error
raised on purpose is a FaultprintError with a text that says what is wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from faultprint.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from faultprint.cases.baseline import Baseline
    from faultprint.cases.decision import Rule
    from faultprint.cases.library import Library
    from faultprint.cases.reference import Reference
    from faultprint.embedding.model import Model
    from faultprint.features.catalogue import Catalogue
    from faultprint.training.config import TrainingConfig
    from faultprint.training.train import TrainingReport

File = str | PathLike[str]
Moment = str | datetime
CONFIRM_MINUTES: Final = 3
"""Minutes that must agree before a verdict changes, as in the command `identify`."""


def probe_captures(
    captures: Sequence[File],
    out: File,
    *,
    nodes: Sequence[str],
    peers: Mapping[str, str] | None = None,
    network: str = "network",
    key_file: File | None = None,
) -> Path:
    """Read captures and write the TRANSACTIONS of `nodes` to `out` (Parquet). Returns `out`.

    captures  pcap or pcapng files, also with gzip; several are merged by time
    nodes     NAME=ADDRESS[:PORT],... each; NAME alone takes the host that receives most requests
    peers     address of a peer -> its reference point, such as "Mw", where you know it
    key_file  key of the subscribers' hashes; default: the user's own key, created at first use

    Raises CaptureError for a file that is no capture, UsageError for nodes, peers or a key that cannot be used.
    """
    from faultprint.probe.capture import run
    from faultprint.probe.privacy import key
    from faultprint.probe.transactions.nodes import NodeSpec
    from faultprint.tables import Interface

    known = {str(point): point for point in Interface}
    for point in (peers or {}).values():
        if point not in known:
            raise UsageError(f"There is no reference point {point!r}; choose one of {', '.join(known)}.")
    run.probe_captures(
        [Path(capture) for capture in captures],
        Path(out),
        nodes=[NodeSpec.parse(node) for node in nodes],
        peers={address: known[point] for address, point in (peers or {}).items()},
        network=network,
        key=key.load_or_create(Path(key_file) if key_file else key.default_path()),
    )
    return Path(out)


def build_minutes(transactions: File, out: File, *, interval_seconds: int = 60) -> Path:
    """Describe each minute of a TRANSACTIONS file by the 132 features and write MINUTES to `out`. Returns `out`.

    Raises TableError for a file that is not as docs/reference/tables.md says.
    """
    from faultprint.features.minutes import build_minutes_file
    from faultprint.units import SECOND_US

    build_minutes_file(Path(transactions), Path(out), interval_us=interval_seconds * SECOND_US)
    return Path(out)


def read_minutes(path: File, catalogue: Catalogue | None = None) -> pl.DataFrame:
    """The MINUTES table in a Parquet file, checked against the catalogue (default: SIP_CATALOGUE). Raises TableError."""
    from faultprint.features import minutes
    from faultprint.features.catalogue import SIP_CATALOGUE

    return minutes.read_minutes(Path(path), catalogue or SIP_CATALOGUE).frame


def read_labels(path: File) -> pl.DataFrame:
    """The LABELS table in a Parquet file: node, start, end, condition, severity. Raises TableError."""
    from faultprint import storage
    from faultprint.tables import LABELS

    return storage.read(Path(path), LABELS)


def load_model(path: File | None = None) -> Model:
    """The model in a file that `train` wrote; default: FAULTPRINT_MODEL, the configuration file, or the model of the package.

    Raises ModelError for anything else.

    >>> import faultprint as fp
    >>> fp.load_model("missing.faultprint")
    Traceback (most recent call last):
    faultprint.errors.ModelError: ...
    """
    from faultprint.embedding import model
    from faultprint.pretrained.defaults import default_model

    return model.load_model(default_model() if path is None else Path(path))


def open_library(path: File | None = None, *, create: bool = False) -> Library:
    """The case library in a SQLite file; `create` makes it if it is absent. Use it as a context manager.

    Default: FAULTPRINT_LIBRARY, the configuration file, your own library, or the starter library of the package, which
    cannot be changed.

    Raises LibraryError for a file that is none.

    >>> import faultprint as fp
    >>> with fp.open_library(":memory:", create=True) as library:
    ...     library.references()
    []
    """
    from faultprint.cases.library import Library
    from faultprint.pretrained.defaults import default_library

    if path is None:
        return Library.open(default_library())
    return Library.open(":memory:" if str(path) == ":memory:" else Path(path), create=create)


def enrol(
    minutes: pl.DataFrame,
    model: Model,
    *,
    condition: str,
    interval: tuple[Moment, Moment],
    node: str | None = None,
    baseline: Baseline | None = None,
    library: Library | None = None,
    comment: str = "",
) -> Reference:
    """The reference of one example of a fault: `library.add([reference])` stores it.

    condition  name of the fault, such as "hss-link-down"
    interval   when it happened: two datetimes or ISO 8601 texts; a time without a zone is UTC
    node       where it happened; may be left out if the minutes are of one node
    baseline   the node's normal traffic (default: Baseline.first()); must not overlap the interval
    library    if given, a baseline that looks like one of its faults is skipped, as in `identify`

    Raises TableError, ModelError, UsageError or LibraryError.
    """
    from faultprint.cases import enrol as stage
    from faultprint.cases.baseline import Baseline

    start, end = (_moment(moment) for moment in interval)
    enrolment = stage.Enrolment(condition, (start, end), comment)
    now = datetime.now(UTC)
    return stage.enrol(
        minutes,
        enrolment,
        model,
        created=now,
        node=node,
        baseline=baseline or Baseline.first(),
        references=library.references(model.id) if library else (),
        on_suspect=_warn,
    )


def identify(
    minutes: pl.DataFrame,
    model: Model,
    library: Library,
    *,
    baseline: Baseline | None = None,
    confirm_minutes: int = CONFIRM_MINUTES,
) -> pl.DataFrame:
    """The VERDICTS table: the condition of every observed minute, by node and time.

    baseline         how each node's normal traffic is chosen (default: Baseline.first())
    confirm_minutes  minutes that must agree before the verdict changes

    A baseline that looks like a known fault causes a SuspectBaselineWarning. Raises TableError, ModelError, LibraryError or
    UsageError.
    """
    from faultprint.cases import identify as stage
    from faultprint.cases.baseline import Baseline

    return stage.identify(
        minutes,
        model,
        library,
        baseline=baseline or Baseline.first(),
        persistence=confirm_minutes,
        on_suspect=_warn,
    )


def evaluate(
    minutes: pl.DataFrame,
    labels: pl.DataFrame,
    model: Model,
    library: Library,
    *,
    baseline: Baseline | None = None,
    confirm_minutes: int = CONFIRM_MINUTES,
) -> dict[str, Any]:
    """Figures of the verdicts on labelled minutes: macro-F1, false alarms, delays, and the same for each condition.

    docs/science/matching.md defines every figure. Raises TableError, LabelError, ModelError, LibraryError or UsageError.
    """
    from faultprint.cases.baseline import Baseline
    from faultprint.evaluation import evaluate as stage

    found = stage.evaluate(
        minutes,
        labels,
        model,
        library,
        baseline=baseline or Baseline.first(),
        persistence=confirm_minutes,
        on_suspect=_warn,
    )
    return found.summary() | {"conditions": found.by_condition()}


def calibrate(
    minutes: pl.DataFrame, labels: pl.DataFrame, model: Model, library: Library, *, max_false_alarms: float = 0.5
) -> list[Rule]:
    """Set the library's thresholds on labelled minutes of networks that gave no reference, and store them.

    max_false_alarms  for each node and day of normal traffic

    Raises LibraryError if every reference is of these networks, LabelError if no node has a normal window.
    """
    from faultprint.cases.calibration import calibrate_library

    return calibrate_library(minutes, labels, model, library, max_alarms_per_day=max_false_alarms)


def train(
    minutes: pl.DataFrame, labels: pl.DataFrame, out: File, config: TrainingConfig | None = None
) -> TrainingReport:
    """Train an encoder on labelled minutes of two networks or more and write the model to `out`.

    Needs the extra `train` (torch). Raises TableError, LabelError, ModelError or UsageError.
    """
    from faultprint.training import train as stage
    from faultprint.training.config import TrainingConfig

    return stage.train(minutes, labels, Path(out), config or TrainingConfig())


class SuspectBaselineWarning(UserWarning):
    """The minutes that are a node's baseline look like a known fault; name other minutes as its baseline."""


def _warn(node: str, condition: str) -> None:
    import warnings

    text = f"The baseline of node {node!r} looks like {condition}; choose another baseline."
    warnings.warn(text, SuspectBaselineWarning, stacklevel=4)


def _moment(moment: Moment) -> datetime:
    try:
        found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        raise UsageError(
            f"{moment!r} is no time in ISO 8601; write it such as 2026-01-05T09:10 or 2026-01-05T09:10+01:00."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
