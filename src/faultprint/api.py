"""The public functions: each stage of the flow as one call, with files or data frames in and out.

`import faultprint as fp` offers these names (`faultprint.__all__`). They wrap the stages and add no behaviour. Every error
raised on purpose is a FaultprintError with a text that says what is wrong and what to do. A table may be a frame of Polars
or pandas, a table of Arrow, or any other object with the Arrow PyCapsule interface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from faultprint.arguments import (
    instance_argument,
    interval_argument,
    list_argument,
    mapping_argument,
    path_argument,
    ratio_argument,
    text_argument,
    whole_number,
)
from faultprint.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from faultprint.cases.baseline import Baseline
    from faultprint.cases.decision import Rule
    from faultprint.cases.library import Library
    from faultprint.cases.reference import Reference
    from faultprint.embedding.model import Model
    from faultprint.features.catalogue import Catalogue
    from faultprint.frames import ArrowTable
    from faultprint.training.config import TrainingConfig
    from faultprint.training.train import TrainingReport

File = str | PathLike[str]
Moment = str | datetime
CONFIRM_MINUTES: Final = 3
"""Minutes that must agree before a verdict changes, as in the command `identify`."""


def probe_captures(
    captures: File | Sequence[File],
    out: File,
    *,
    nodes: str | Sequence[str],
    peers: Mapping[str, str] | None = None,
    network: str = "network",
    key_file: File | None = None,
) -> Path:
    """Read captures and write the TRANSACTIONS of `nodes` to `out` (Parquet). Returns `out`.

    captures  pcap or pcapng files, also with gzip; several are merged by time; one alone needs no list
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
    points = mapping_argument(peers, "peers")
    files = [path_argument(capture, "captures") for capture in list_argument(captures, "captures", (str, PathLike))]
    for point in points.values():
        if point not in known:
            raise UsageError(f"There is no reference point {point!r}; choose one of {', '.join(known)}.")
    run.probe_captures(
        files,
        path_argument(out, "out"),
        nodes=[NodeSpec.parse(node) for node in list_argument(nodes, "nodes")],
        peers={address: known[point] for address, point in points.items()},
        network=text_argument(network, "network"),
        key=key.load_or_create(key.default_path() if key_file is None else path_argument(key_file, "key_file")),
    )
    return Path(out)


def build_minutes(transactions: File, out: File, *, interval_seconds: int = 60) -> Path:
    """Describe each minute of a TRANSACTIONS file by the 132 features and write MINUTES to `out`. Returns `out`.

    Raises TableError for a file that is not as docs/reference/tables.md says.
    """
    from faultprint.features.minutes import build_minutes_file
    from faultprint.units import SECOND_US

    interval_us = whole_number(interval_seconds, "interval_seconds") * SECOND_US
    build_minutes_file(path_argument(transactions, "transactions"), path_argument(out, "out"), interval_us=interval_us)
    return Path(out)


def read_minutes(path: File, catalogue: Catalogue | None = None) -> pl.DataFrame:
    """The MINUTES table in a Parquet file, checked against the catalogue (default: SIP_CATALOGUE). Raises TableError."""
    from faultprint.features import minutes
    from faultprint.features.catalogue import SIP_CATALOGUE

    return minutes.read_minutes(path_argument(path, "path"), catalogue or SIP_CATALOGUE).frame


def read_labels(path: File) -> pl.DataFrame:
    """The LABELS table in a Parquet file: node, start, end, condition, severity. Raises TableError."""
    from faultprint import storage
    from faultprint.tables import LABELS

    return storage.read(path_argument(path, "path"), LABELS)


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

    return model.load_model(default_model() if path is None else path_argument(path, "path"))


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
    return Library.open(":memory:" if path == ":memory:" else path_argument(path, "path"), create=create)


def enrol(
    minutes: ArrowTable,
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

    model, opened = _model(model), None if library is None else _library(library)
    enrolment = stage.Enrolment(
        text_argument(condition, "condition"),
        interval_argument(interval, "interval"),
        text_argument(comment, "comment"),
    )
    return stage.enrol(
        _minutes(minutes, model),
        enrolment,
        model,
        created=datetime.now(UTC),
        node=None if node is None else text_argument(node, "node"),
        baseline=_baseline(baseline),
        references=opened.references(model.id) if opened else (),
        on_suspect=_warn,
    )


def identify(
    minutes: ArrowTable,
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

    model = _model(model)
    return stage.identify(
        _minutes(minutes, model),
        model,
        _library(library),
        baseline=_baseline(baseline),
        persistence=whole_number(confirm_minutes, "confirm_minutes"),
        on_suspect=_warn,
    )


def evaluate(
    minutes: ArrowTable,
    labels: ArrowTable,
    model: Model,
    library: Library,
    *,
    baseline: Baseline | None = None,
    confirm_minutes: int = CONFIRM_MINUTES,
) -> dict[str, Any]:
    """Figures of the verdicts on labelled minutes: macro-F1, false alarms, delays, and the same for each condition.

    docs/science/matching.md defines every figure. Raises TableError, LabelError, ModelError, LibraryError or UsageError.
    """
    from faultprint.evaluation import evaluate as stage

    model = _model(model)
    found = stage.evaluate(
        _minutes(minutes, model),
        _labels(labels),
        model,
        _library(library),
        baseline=_baseline(baseline),
        persistence=whole_number(confirm_minutes, "confirm_minutes"),
        on_suspect=_warn,
    )
    return found.summary() | {"conditions": found.by_condition()}


def calibrate(
    minutes: ArrowTable, labels: ArrowTable, model: Model, library: Library, *, max_false_alarms: float = 0.5
) -> list[Rule]:
    """Set the library's thresholds on labelled minutes of networks that gave no reference, and store them.

    max_false_alarms  for each node and day of normal traffic

    Raises LibraryError if every reference is of these networks, LabelError if no node has a normal window.
    """
    from faultprint.cases.calibration import calibrate_library

    model = _model(model)
    return calibrate_library(
        _minutes(minutes, model),
        _labels(labels),
        model,
        _library(library),
        max_alarms_per_day=ratio_argument(max_false_alarms, "max_false_alarms"),
    )


def train(minutes: ArrowTable, labels: ArrowTable, out: File, config: TrainingConfig | None = None) -> TrainingReport:
    """Train an encoder on labelled minutes of two networks or more and write the model to `out`.

    Needs the extra `train` (torch). Raises TableError, LabelError, ModelError or UsageError.
    """
    from faultprint.frames import as_table
    from faultprint.tables import MINUTES
    from faultprint.training import train as stage
    from faultprint.training.config import TrainingConfig

    chosen = instance_argument(config or TrainingConfig(), TrainingConfig, "config", "a TrainingConfig")
    return stage.train(as_table(minutes, MINUTES, "minutes"), _labels(labels), path_argument(out, "out"), chosen)


class SuspectBaselineWarning(UserWarning):
    """The minutes that are a node's baseline look like a known fault; name other minutes as its baseline."""


def _warn(node: str, condition: str) -> None:
    import warnings

    text = f"The baseline of node {node!r} looks like {condition}; choose another baseline."
    warnings.warn(text, SuspectBaselineWarning, stacklevel=4)


def _minutes(minutes: ArrowTable, model: Model) -> pl.DataFrame:
    from faultprint.frames import as_table
    from faultprint.tables import MINUTES

    return as_table(minutes, MINUTES, "minutes", model.catalogue.names)


def _labels(labels: ArrowTable) -> pl.DataFrame:
    from faultprint.frames import as_table
    from faultprint.tables import LABELS

    return as_table(labels, LABELS, "labels")


def _model(model: Model) -> Model:
    from faultprint.embedding.model import Model

    return instance_argument(model, Model, "model", "what fp.load_model returns")


def _library(library: Library) -> Library:
    from faultprint.cases.library import Library

    return instance_argument(library, Library, "library", "what fp.open_library returns")


def _baseline(baseline: Baseline | None) -> Baseline:
    from faultprint.cases.baseline import Baseline

    if baseline is None:
        return Baseline.first()
    return instance_argument(baseline, Baseline, "baseline", "fp.Baseline.first() or another of its kinds")
