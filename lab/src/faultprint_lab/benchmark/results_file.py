"""The results file: rows of figures, one for each data, protocol, variant, system, seed and split."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from faultprint.errors import TableError
from faultprint.files import replacing

KEYS: Final = ("data", "protocol", "variant", "system", "seed", "split")
FIGURES: Final[Mapping[str, str]] = {
    "macro_f1": "macro-F1 over normal and all faults that occur; a window with one faulty minute counts as faulty",
    "macro_f1_exposed": "the same over normal windows and windows with ten or more faulty minutes",
    "hidden_f1": "mean F1 of the faults that training never saw",
    "hidden_f1_exposed": "the same over normal windows and windows with ten or more faulty minutes",
    "false_alarms_per_day": "false alarms for each node and day of normal traffic",
    "episodes_found": "share of episodes with the right verdict at some time",
    "delay_median_minutes": "minutes from onset to the first right verdict, median of the episodes found",
    "delay_p90_minutes": "the same, 90th percentile",
    "clearing_median_minutes": "minutes from a fault's end to the end of its verdict, median of the episodes found",
    "auroc": "area under the ROC curve, faults without a reference against everything that is known",
    "fpr95": "share of known windows called unknown where 95 % of the unknown ones are",
    "suspect_normal": "share of the hours of normal traffic that the baseline check suspects",
    "suspect_fault": "share of the hours with at least 54 minutes of a fault that the baseline check suspects",
    "suspect_named": "share of these where it also names the right fault",
    "satisfied": "share of triplets that violate no margin at the end of training, in training mode",
    "satisfied_inference": "the same triplets and weights in inference mode, with the running statistics of BatchNorm",
    "satisfied_mixed": "the same for triplets drawn from all networks, whatever the training used",
    "satisfied_reestimated": "`satisfied, inference` with running statistics that were estimated again over mixed batches",
    "loss_training": "loss of these triplets in training mode, with the statistics of the batch",
    "loss_inference": "the same in inference mode",
    "loss_reestimated": "the same with statistics that were estimated again",
    "sampled_f1": "macro-F1 of the nearest reference on a sample of windows of held-out networks, in inference mode",
    "sampled_f1_reestimated": "the same with statistics that were estimated again",
    "carried": "share of faults of one network that vector arithmetic places nearest to the same fault of another network",
    "carried_unmoved": "the same without the arithmetic",
    "carried_by_chance": "the same for a random vector",
    "row_macro_f1": "macro-F1 of single rows",
    "balanced_accuracy": "mean over the conditions of the share of rows with the right verdict",
}
REASON: Final = "not_applicable"
"""Why a row has no figures."""


def write(path: Path, about: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write what holds for all rows, then one line for each row in the order of its keys, so that changes are easy to see."""
    lines = [json.dumps(row, allow_nan=False) for row in sorted(rows, key=lambda row: [str(row[key]) for key in KEYS])]
    text = ",\n".join([json.dumps(about, allow_nan=False)[:-1] + ', "rows": [', ",\n".join(lines)]).replace(
        "[,\n", "[\n", 1
    )
    with replacing(path) as temporary:
        temporary.write_text(text + "\n]}\n", encoding="utf-8")


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(about, rows) of a results file. Raises TableError for another file."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        rows: Sequence[dict[str, Any]] = about.pop("rows")
        complete = all({*KEYS} <= {*row} for row in rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TableError(f"{path} holds no figures ({error}); make it with `faultprint benchmark --out`.") from None
    if not complete:
        raise TableError(
            f"{path}: a row lacks one of {', '.join(KEYS)}; make the file again with `faultprint benchmark --out`."
        )
    return about, list(rows)
