"""Functions for those who explore minutes in a notebook: diagnoses, vectors, and files for the TensorBoard projector."""

from __future__ import annotations

from contextlib import nullcontext
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from faultprint.api import CONFIRM_MINUTES, File, load_model, open_library
from faultprint.arguments import instance_argument, path_argument, shown, whole_number
from faultprint.display import visible
from faultprint.errors import TableError, UsageError

if TYPE_CHECKING:
    import polars as pl

    from faultprint.cases.baseline import Baseline
    from faultprint.cases.library import Library
    from faultprint.diagnosis.node import NodeDiagnosis
    from faultprint.embedding.model import Model
    from faultprint.frames import ArrowTable

VECTORS_FILE: Final = "vectors.tsv"
METADATA_FILE: Final = "metadata.tsv"
_METADATA: Final = ("node", "network", "minute", "condition")


def diagnose(
    minutes: ArrowTable,
    model: Model | File | None = None,
    library: Library | File | None = None,
    *,
    baseline: Baseline | None = None,
    confirm_minutes: int = CONFIRM_MINUTES,
) -> list[NodeDiagnosis]:
    """The diagnosis of every node in a MINUTES table, as in the command `diagnose`: what is normal, and each incident.

    model, library   objects or paths; default: those that `load_model` and `open_library` choose
    baseline         each node's normal traffic; default: its first hour, or what is normal for many nodes if it has none
    confirm_minutes  minutes that must agree before the verdict changes

    Each NodeDiagnosis has the fields series, kind, suspects, judged, needed and incidents. Raises TableError, ModelError,
    LibraryError or UsageError.

    >>> import faultprint as fp
    >>> import polars as pl
    >>> columns = {"node": pl.String, "network": pl.String, "minute": pl.Datetime("us", "UTC"), "observed": pl.Float32}
    >>> fp.diagnose(pl.DataFrame(schema=columns | dict.fromkeys(fp.SIP_CATALOGUE.names, pl.Float32)))
    []
    """
    from faultprint.cases.baseline import Baseline
    from faultprint.cases.centering import node_series
    from faultprint.cases.library import Library
    from faultprint.cases.thresholds import matcher_for, rule_for
    from faultprint.diagnosis.node import diagnose_node

    persistence = whole_number(confirm_minutes, "confirm_minutes")
    if baseline is not None:
        instance_argument(baseline, Baseline, "baseline", "fp.Baseline.first() or another of its kinds")
    loaded = _loaded(model)
    table = _table(minutes, loaded)
    with nullcontext(library) if isinstance(library, Library) else open_library(library) as opened:
        references = opened.for_model(loaded.id, loaded.dimensions)
        matcher, rule = matcher_for(loaded, references), rule_for(loaded, opened, persistence)
    return [
        diagnose_node(series, table, loaded, matcher, rule, references, baseline)
        for series in node_series(table, loaded)
    ]


def embed(minutes: ArrowTable, model: Model | File | None = None, *, baseline: Baseline | None = None) -> pl.DataFrame:
    """The vector of every window: columns node, network, minute (the window's last) and vector (D float32).

    The vectors are measured from the mean vector of the node's baseline, so that normal traffic lies around the origin.
    `embed(...)["vector"].to_numpy()` has the shape (N, D). A minute without enough minutes before it has no row.

    model     an object or a path; default: the one that `load_model` chooses
    baseline  how each node's normal traffic is chosen (default: Baseline.first())

    Raises TableError, ModelError or UsageError.

    >>> import faultprint as fp
    >>> fp.embed("minutes.parquet")
    Traceback (most recent call last):
    faultprint.errors.UsageError: ...
    """
    import polars as pl

    from faultprint.cases.baseline import Baseline, select
    from faultprint.cases.centering import center, node_series
    from faultprint.cases.thresholds import matcher_for

    policy = instance_argument(
        Baseline.first() if baseline is None else baseline, Baseline, "baseline", "fp.Baseline.first() or another kind"
    )
    loaded = _loaded(model)
    schema = {
        "node": pl.String(),
        "network": pl.String(),
        "minute": pl.Datetime("us", "UTC"),
        "vector": pl.Array(pl.Float32, loaded.dimensions),
    }
    frames = [pl.DataFrame(schema=schema)]
    no_faults = matcher_for(loaded, ())
    for series in node_series(_table(minutes, loaded), loaded):
        windows = center(series, loaded, select(series, policy, loaded, no_faults).baseline)
        count = len(windows.last_minute)
        columns = {
            "node": [series.node] * count,
            "network": [series.network] * count,
            "minute": pl.Series(series.minute_us[windows.last_minute]).cast(schema["minute"]),
            "vector": pl.Series(windows.vectors, dtype=schema["vector"]),
        }
        frames.append(pl.DataFrame(columns, schema=schema))
    return pl.concat(frames)


def export_projector(folder: File, embedded: ArrowTable, labels: ArrowTable | None = None) -> Path:
    """Write vectors.tsv and metadata.tsv for the TensorBoard projector to `folder`, and return it.

    folder    made if it does not exist
    embedded  what `embed` returns
    labels    a LABELS table: metadata then has the condition of each window's last minute, empty without a label

    Load both files at projector.tensorflow.org or in TensorBoard. Raises UsageError for a folder that cannot be written,
    TableError for a table without vectors.

    >>> import faultprint as fp
    >>> fp.export_projector("projector", [1, 2])
    Traceback (most recent call last):
    faultprint.errors.UsageError: ...
    """
    import numpy as np

    from faultprint.files import replacing

    place = _folder(folder)
    frame, vectors = _vectors(embedded)
    metadata = _conditions(frame, labels)
    names = [name for name in _METADATA if name in metadata.columns]
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{place} cannot be made ({error.strerror}); choose another folder.") from None
    with replacing(place / METADATA_FILE) as metadata_file, replacing(place / VECTORS_FILE) as vectors_file:
        np.savetxt(vectors_file, vectors, fmt="%.9g", delimiter="\t")
        rows = ("\t".join(map(_cell, row)) for row in metadata.select(names).iter_rows())
        metadata_file.write_text("\n".join(["\t".join(names), *rows, ""]), encoding="utf-8")
    return place


def _loaded(model: Model | File | None) -> Model:
    from faultprint.embedding.model import Model

    return model if isinstance(model, Model) else load_model(model)


def _table(minutes: ArrowTable, model: Model) -> pl.DataFrame:
    from faultprint.frames import as_table
    from faultprint.tables import MINUTES

    return as_table(minutes, MINUTES, "minutes", model.catalogue.names)


def _folder(folder: File) -> Path:
    path = Path(fspath(folder)) if isinstance(folder, str | PathLike) and folder else folder
    if isinstance(path, Path) and path.is_dir():
        return path
    path = path_argument(folder, "folder")
    if path.exists():
        raise UsageError(f"folder is {shown(str(path))}, which is a file; pass the path of a folder.")
    return path


def _vectors(embedded: ArrowTable) -> tuple[pl.DataFrame, Any]:
    """The table of vectors, and the vectors (N, D)."""
    import numpy as np
    import polars as pl

    from faultprint.frames import as_frame

    frame = as_frame(embedded, "embedded", "pass what fp.embed returns")
    wanted = ("node", "network", "minute", "vector")
    if missing := [name for name in wanted if name not in frame.columns]:
        raise TableError(f"embedded lacks column {missing[0]!r}; pass what fp.embed returns.")
    column = frame["vector"]
    if not isinstance(column.dtype, pl.Array | pl.List) or not isinstance(frame.schema["minute"], pl.Datetime):
        raise TableError("embedded has no vectors, or no times, in its columns; pass what fp.embed returns.")
    try:
        rows = [np.asarray(row, np.float32) for row in column.to_list()]
        return frame, np.stack(rows) if rows else np.empty((0, 0), np.float32)
    except (TypeError, ValueError):
        raise TableError("embedded holds vectors of unequal length; pass what fp.embed returns.") from None


def _conditions(frame: pl.DataFrame, labels: ArrowTable | None) -> pl.DataFrame:
    """The table with the condition of each minute, if there are labels. The order of rows stays."""
    import polars as pl

    from faultprint.frames import as_table
    from faultprint.tables import LABELS

    if labels is None:
        return frame
    moment = pl.Datetime("us", "UTC")
    known = as_table(labels, LABELS, "labels").select(pl.col("node", "condition").cast(pl.String), "start", "end")
    rows = frame.with_row_index("row").with_columns(pl.col("node").cast(pl.String), pl.col("minute").cast(moment))
    joined = rows.sort("minute").join_asof(
        known.sort("start"), left_on="minute", right_on="start", by="node", check_sortedness=False
    )
    inside = pl.when(pl.col("end") > pl.col("minute")).then("condition")
    return joined.with_columns(condition=inside).sort("row")


def _cell(value: object) -> str:
    """The value in a table of tabs and lines: neither may be in it."""
    text = "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)
    return visible(text)
