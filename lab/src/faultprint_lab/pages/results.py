"""docs/science/results.md, from the committed figures of the benchmark suite."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from faultprint_lab.benchmark.registry import ABLATED, DATA, ORACLES, PUZZLES, RETRAINED, SYSTEMS
from faultprint_lab.benchmark.results_file import FIGURES, REASON, read
from faultprint_lab.benchmark.splits import Sizes
from faultprint_lab.benchmark.trials import PROTOCOLS
from faultprint_lab.locations import RESULTS
from faultprint_lab.pages.markdown import table

COMMITTED: Final = RESULTS / "protocols.json"
HEADS: Final[Mapping[str, str]] = {
    "macro_f1": "macro-F1",
    "macro_f1_exposed": "macro-F1, ≥ 10",
    "hidden_f1": "F1 of new faults",
    "hidden_f1_exposed": "F1 of new faults, ≥ 10",
    "false_alarms_per_day": "false alarms a day",
    "episodes_found": "episodes found",
    "delay_median_minutes": "delay",
    "delay_p90_minutes": "delay, p90",
    "clearing_median_minutes": "time to clear",
    "auroc": "AUROC",
    "fpr95": "FPR95",
    "suspect_normal": "normal hours suspected",
    "suspect_fault": "faulty hours suspected",
    "suspect_named": "with the right name",
    "satisfied": "satisfied triplets",
    "satisfied_inference": "satisfied, inference",
    "satisfied_mixed": "satisfied, mixed",
    "satisfied_reestimated": "satisfied, re-estimated",
    "loss_training": "loss",
    "loss_inference": "loss, inference",
    "loss_reestimated": "loss, re-estimated",
    "sampled_f1": "macro-F1 of a sample",
    "sampled_f1_reestimated": "the same, re-estimated",
    "carried": "carried",
    "carried_unmoved": "without arithmetic",
    "carried_by_chance": "by chance",
    "row_macro_f1": "macro-F1 of rows",
    "balanced_accuracy": "balanced accuracy",
}
"""Column heads of the figures; delays in minutes."""
_ALL_SYSTEMS: Final[Mapping[str, str]] = {**SYSTEMS, **RETRAINED, **ORACLES, **ABLATED, **PUZZLES}
_DECIMALS: Final = {"delay_median_minutes": 1, "delay_p90_minutes": 1, "clearing_median_minutes": 1}
_PICTURE: Final = """![Macro-F1 of every system in every protocol](results.svg)

*Macro-F1 over normal windows and windows with ten or more faulty minutes. A dot is the mean over the seeds, its line the range.*
"""
_NO_FIGURES: Final = "There are no figures yet: `faultprint benchmark --protocol all --out FILE` makes them.\n"

Row = Mapping[str, Any]


def page(path: Path = COMMITTED) -> str:
    """Markdown. Raises TableError for a file that holds no figures."""
    head = (
        "# Results\n\nThis page is generated from `lab/results/protocols.json`; [protocols](protocols.md) describes the "
        "benchmark.\n"
    )
    if not path.exists():
        return f"{head}\n{_NO_FIGURES}"
    metadata, rows = read(path)
    parts = [head, about(metadata, rows), _PICTURE, "\n".join([*legend(rows), ""])]
    for data in DATA:
        for protocol in PROTOCOLS:
            selected = [row for row in rows if (row["data"], row["protocol"]) == (data, protocol)]
            if selected:
                parts.append(_section(data, protocol, selected, seeds_of(rows)))
    return "\n".join(parts)


def about(metadata: Row, rows: Sequence[Row]) -> str:
    """One paragraph about all rows; `metadata` is what the results file says about them."""
    splits, seeds = sorted({row["split"] for row in rows}), sorted({row["seed"] for row in rows})
    sizes = ", ".join(f"{name} {value}" for name, value in metadata.get("sizes", {}).items())
    return (
        f"Split: {' and '.join(splits)}. Seeds: {', '.join(map(str, seeds))}. Sizes: {sizes}. "
        "A figure is the mean over the seeds ± their standard deviation, or – where there is nothing to measure. If a system ran "
        "with fewer seeds, their number follows its name. Systems that are not listed did not run.\n"
    )


def seeds_of(rows: Sequence[Row]) -> int:
    """The number of seeds."""
    return len({row["seed"] for row in rows})


def legend(rows: Sequence[Row]) -> Iterator[str]:
    """One line for each figure and each system in the rows."""
    present = {row["system"] for row in rows}
    yield from (f"- {HEADS[name]}: {FIGURES[name]}" for name in _measured(rows))
    yield ""
    yield from (f"- `{name}`: {meaning}" for name, meaning in _ALL_SYSTEMS.items() if name in present)


def _measured(rows: Sequence[Row]) -> list[str]:
    """The figures that some row has; rows may be older than a figure."""
    return [name for name in FIGURES if any(row.get(name) is not None for row in rows)]


def cells(system: str, rows: Sequence[Row], shown: Sequence[str], seeds: int) -> list[str]:
    """A row of a table: the system and its figures; the number of its rows follows the name if it is below `seeds`."""
    runs = f" ({len(rows)})" if len(rows) < seeds else ""
    return [f"`{system}`{runs}", *(_cell(name, [row.get(name) for row in rows]) for name in shown)]


def _section(data: str, protocol: str, rows: Sequence[Row], seeds: int) -> str:
    shown = _measured(rows)
    lines, reasons = [], set()
    for variant in variants_of(protocol, rows):
        for system in _ALL_SYSTEMS:
            selected = [row for row in rows if (row["variant"], row["system"]) == (variant, system)]
            if not selected:
                continue
            if selected[0][REASON]:
                reasons.add(f"`{system}`: not applicable: {selected[0][REASON]}.")
                continue
            lines.append([variant, *cells(system, selected, shown, seeds)])
    body = table(["", "system", *(HEADS[name] for name in shown)], lines) if lines else ""
    notes = "".join(f"\n{reason}\n" for reason in sorted(reasons))
    return f"## {protocol}, {data}\n\n{PROTOCOLS[protocol].meaning} Data: {DATA[data]}.\n\n{body}{notes}"


def variants_of(protocol: str, rows: Sequence[Row]) -> list[str]:
    """The variants of the rows in the order of the protocol, then variants that the protocol no longer has."""
    present = {row["variant"]: None for row in rows}
    order = {name: None for name, _ in PROTOCOLS[protocol].variants(Sizes(), 1)}
    return [*(name for name in order if name in present), *(name for name in present if name not in order)]


def _cell(name: str, values: Sequence[float | None]) -> str:
    """Mean and standard deviation over the seeds that have the figure, and their number if some have not."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    decimals = _DECIMALS.get(name, 2)
    spread = f" ± {statistics.stdev(known):.{decimals}f}" if len(known) > 1 else ""
    count = f" ({len(known)} of {len(values)})" if len(known) < len(values) else ""
    return f"{statistics.mean(known):.{decimals}f}{spread}{count}"
