"""The rows of figures: one for each data, protocol, variant, system and seed, and the file that holds them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from faultprint.errors import TableError
from faultprint.files import replacing

KEYS: Final = ("data", "protocol", "variant", "system", "seed", "split")
FIGURES: Final[Mapping[str, str]] = {
    "macro_f1": "macro-F1 over normal and every fault met; a window with one faulty minute counts as faulty",
    "macro_f1_exposed": "the same over normal windows and those with ten or more faulty minutes",
    "hidden_f1": "mean F1 of the faults that training never saw",
    "hidden_f1_exposed": "the same over normal windows and those with ten or more faulty minutes",
    "false_alarms_per_day": "false alarms a node and day of normal traffic",
    "episodes_found": "share of episodes named right at some time",
    "delay_median_minutes": "minutes from onset to the first right verdict, median of the episodes found",
    "delay_p90_minutes": "the same, nine of ten",
    "clearing_median_minutes": "minutes from a fault's end until it is told to be over, median of the episodes found",
    "auroc": "area under the ROC curve, faults without any reference against all that is known",
    "fpr95": "share of what is known called unknown where 95 % of what is not known are",
    "doubted_normal": "share of the hours of normal traffic that look like a fault",
    "doubted_fault": "share of the hours of nine or more tenths of a fault that look like one",
    "doubted_by_name": "share of these that look like the fault that it was",
    "satisfied": "share of the triplets drawn at the end of training that violate no margin, in training mode",
    "satisfied_inference": "that of the same triplets by the same weights in inference mode: by BatchNorm's running statistics",
    "satisfied_mixed": "the same of triplets drawn from all networks at once, whatever was learnt from",
    "satisfied_reestimated": "`satisfied, inference` by running statistics that were taken anew over mixed batches",
    "loss_training": "triplet loss of these triplets in training mode: by the batch's own statistics",
    "loss_inference": "the same in inference mode",
    "loss_reestimated": "the same by statistics taken anew",
    "sampled_f1": "macro-F1 of the nearest reference on a sample of windows of networks held out, in inference mode",
    "sampled_f1_reestimated": "the same by statistics taken anew",
    "carried": "share of faults of one network that, moved by vector arithmetic, are nearest to the same fault at another",
    "carried_unmoved": "the same without the arithmetic",
    "carried_by_chance": "the same for a vector drawn at random",
    "row_macro_f1": "macro-F1 of single rows",
    "balanced_accuracy": "mean share of each condition's rows that were named right",
}
REASON: Final = "not_applicable"


def write(path: Path, about: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> None:
    """The file: what holds for all rows, then a line a row, in order of their keys, so that differences can be read."""
    lines = [json.dumps(row, allow_nan=False) for row in sorted(rows, key=lambda row: [str(row[key]) for key in KEYS])]
    text = ",\n".join([json.dumps(about, allow_nan=False)[:-1] + ', "rows": [', ",\n".join(lines)]).replace(
        "[,\n", "[\n", 1
    )
    with replacing(path) as temporary:
        temporary.write_text(text + "\n]}\n", encoding="utf-8")


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(about, rows) of such a file. Raises TableError for anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows: Sequence[dict[str, Any]] = found.pop("rows")
        ok = all({*KEYS} <= {*row} for row in rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TableError(f"{path} holds no figures ({error}); make it with `faultprint evaluate --protocol`.") from None
    if not ok:
        raise TableError(
            f"{path}: a row lacks one of {', '.join(KEYS)}; make it anew with `faultprint evaluate --protocol`."
        )
    return found, list(rows)
