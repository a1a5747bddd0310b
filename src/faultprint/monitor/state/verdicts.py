"""The verdicts of a minute: as compact bytes for the store, and as a VERDICTS table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from faultprint.cases.decision import is_fault, verdict_names
from faultprint.monitor.detect.scorer import MinuteVerdicts
from faultprint.storage import schema
from faultprint.tables import VERDICTS

_ROW: Final = np.dtype(
    [
        ("node", "<i4"),
        ("code", "<i2"),
        ("nearest", "<i2"),
        ("distance", "<f4"),
        ("runner_up", "<i2"),
        ("runner_up_distance", "<f4"),
        ("probability", "<f4"),
        ("ongoing", "u1"),
    ]
)
_FIRST_ROW: Final = np.dtype(_ROW.descr[:6])
"""Rows of a state from before there were probabilities."""
_FORMAT: Final = 2
_NOTHING: Final = -1


@dataclass(frozen=True, slots=True)
class PackedVerdicts:
    """The verdicts of one minute.

    `minute`: its number; `rows`: bytes of _ROW; `conditions`: JSON of the format of the rows and what their codes index;
    `evidence`: by row (JSON).
    """

    minute: int
    rows: bytes
    conditions: str
    evidence: str


def pack(judged: MinuteVerdicts) -> PackedVerdicts:
    """Encode the verdicts of a minute."""
    rows = np.zeros(len(judged.nodes), _ROW)
    rows["node"], rows["code"] = judged.nodes, judged.code
    rows["probability"], rows["ongoing"] = judged.probability, judged.active
    matches, at = judged.matches, judged.windows
    for name, codes in (("nearest", matches.nearest), ("runner_up", matches.runner_up)):
        rows[name] = _NOTHING
        rows[name][at] = codes
        column = name.replace("nearest", "distance").replace("runner_up", "runner_up_distance")
        rows[column] = np.nan
        rows[column][at] = matches.distance_to(codes)
    conditions = json.dumps({"format": _FORMAT, "conditions": matches.conditions})
    return PackedVerdicts(judged.number, rows.tobytes(), conditions, json.dumps(dict(judged.evidence)))


def unpack(minutes: Iterable[PackedVerdicts], nodes: Sequence[str], interval_us: int) -> pl.DataFrame:
    """A VERDICTS table, sorted by node and time. `nodes`: names by index."""
    parts = [_table(minute, nodes, interval_us) for minute in minutes]
    return pl.concat([pl.DataFrame(schema=schema(VERDICTS)), *parts]).sort("node", "minute")


def _table(packed: PackedVerdicts, nodes: Sequence[str], interval_us: int) -> pl.DataFrame:
    rows, conditions = _rows(packed)
    evidence = {int(row): lines for row, lines in json.loads(packed.evidence).items()}
    known = [*conditions, None]  # _NOTHING (-1) indexes the last item
    distance, second = (rows[name].astype(np.float32) for name in ("distance", "runner_up_distance"))
    return pl.DataFrame(
        {
            "node": [nodes[node] for node in rows["node"].tolist()],
            "minute": pl.Series(np.full(len(rows), packed.minute * interval_us)).cast(pl.Datetime("us", "UTC")),
            "condition": verdict_names(rows["code"].astype(np.int64), conditions),
            "ongoing": rows["ongoing"].astype(np.bool_),
            "probability": rows["probability"].astype(np.float32),
            "nearest": [known[code] for code in rows["nearest"].tolist()],
            "distance": distance,
            "runner_up": [known[code] for code in rows["runner_up"].tolist()],
            "runner_up_distance": second,
            "margin": second - distance,
            "evidence": [evidence.get(row) for row in range(len(rows))],
        },
        schema=schema(VERDICTS),
    ).with_columns(pl.col("probability", "distance", "runner_up_distance", "margin").fill_nan(None))


def _rows(packed: PackedVerdicts) -> tuple[NDArray[np.void], list[str]]:
    """The rows of a minute, and what their codes index. Without a format: a fault is ongoing as long as its verdict lasts."""
    document = json.loads(packed.conditions)
    if isinstance(document, dict):
        return np.frombuffer(packed.rows, _ROW), document["conditions"]
    stored = np.frombuffer(packed.rows, _FIRST_ROW)
    rows = np.zeros(len(stored), _ROW)
    for name in _FIRST_ROW.names or ():
        rows[name] = stored[name]
    rows["probability"], rows["ongoing"] = np.nan, is_fault(stored["code"].astype(np.int64))
    return rows, document
