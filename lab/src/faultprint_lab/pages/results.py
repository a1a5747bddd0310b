"""docs/science/results.md, from the committed figures of the benchmark suite."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from faultprint_lab.benchmark.registry import RETRAINED, ORACLES, DATA, ABLATED, PUZZLES, SYSTEMS
from faultprint_lab.benchmark.results_file import FIGURES, REASON, read
from faultprint_lab.benchmark.splits import Sizes
from faultprint_lab.benchmark.trials import PROTOCOLS
from faultprint_lab.locations import RESULTS
from faultprint_lab.pages.features import table

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
    "clearing_median_minutes": "clearing",
    "auroc": "AUROC",
    "fpr95": "FPR95",
    "doubted_normal": "normal hours doubted",
    "doubted_fault": "faulty hours doubted",
    "doubted_by_name": "by name",
    "satisfied": "satisfied triplets",
    "satisfied_inference": "satisfied, inference",
    "satisfied_mixed": "satisfied, mixed",
    "satisfied_reestimated": "satisfied, statistics anew",
    "loss_training": "loss",
    "loss_inference": "loss, inference",
    "loss_reestimated": "loss, statistics anew",
    "sampled_f1": "macro-F1 of a sample",
    "sampled_f1_reestimated": "the same, statistics anew",
    "carried": "carried",
    "carried_unmoved": "without arithmetic",
    "carried_by_chance": "by chance",
    "row_macro_f1": "macro-F1 of rows",
    "balanced_accuracy": "balanced accuracy",
}
"""What stands over a figure's column; delays in minutes."""
_ENTRANTS: Final[Mapping[str, str]] = {**SYSTEMS, **RETRAINED, **ORACLES, **ABLATED, **PUZZLES}
_DECIMALS: Final = {"delay_median_minutes": 1, "delay_p90_minutes": 1, "clearing_median_minutes": 1}
_PICTURE: Final = """![Macro-F1 of every system in every protocol](results.svg)

*Macro-F1 over windows with ten or more faulty minutes; a dot is the mean over the seeds, its line their range.*
"""
_NONE_YET: Final = "There are no figures yet: `faultprint evaluate --protocol all --json FILE` makes them.\n"

Row = Mapping[str, Any]


def page(path: Path = COMMITTED) -> str:
    """Markdown. Raises TableError for a file that holds no figures."""
    head = (
        "# Results\n\nThis page is generated from `lab/results/protocols.json`; [protocols](protocols.md) says what was "
        "done.\n"
    )
    if not path.exists():
        return f"{head}\n{_NONE_YET}"
    written, rows = read(path)
    parts = [head, about(written, rows), _PICTURE, "\n".join([*legend(rows), ""])]
    for data in DATA:
        for protocol in PROTOCOLS:
            own = [row for row in rows if (row["data"], row["protocol"]) == (data, protocol)]
            if own:
                parts.append(_section(data, protocol, own, seeds_of(rows)))
    return "\n".join(parts)


def about(written: Row, rows: Sequence[Row]) -> str:
    """What holds for all rows, in a paragraph; `written` stands in the file beside them."""
    splits, seeds = sorted({row["split"] for row in rows}), sorted({row["seed"] for row in rows})
    sizes = ", ".join(f"{name} {value}" for name, value in written.get("sizes", {}).items())
    return (
        f"Networks: the {' and '.join(splits)} side of the split. Seeds: {', '.join(map(str, seeds))}. Sizes: {sizes}. "
        "A figure is the mean over the seeds ± their standard deviation; – where there is nothing to measure. Where a system was "
        "run for fewer seeds, their number stands behind its name; what is not here was not run.\n"
    )


def seeds_of(rows: Sequence[Row]) -> int:
    """How many seeds there are."""
    return len({row["seed"] for row in rows})


def legend(rows: Sequence[Row]) -> Iterator[str]:
    """A line a figure and a line a system that the rows have."""
    there = {row["system"] for row in rows}
    yield from (f"- {HEADS[name]}: {FIGURES[name]}" for name in _measured(rows))
    yield ""
    yield from (f"- `{name}`: {meaning}" for name, meaning in _ENTRANTS.items() if name in there)


def _measured(rows: Sequence[Row]) -> list[str]:
    """Of all figures those that a row has; rows may be older than a figure."""
    return [name for name in FIGURES if any(row.get(name) is not None for row in rows)]


def cells(system: str, own: Sequence[Row], shown: Sequence[str], seeds: int) -> list[str]:
    """A line of a table: the system, and figures over its rows, where there are `seeds` seeds in all."""
    runs = f" ({len(own)})" if len(own) < seeds else ""
    return [f"`{system}`{runs}", *(_cell(name, [row.get(name) for row in own]) for name in shown)]


def _section(data: str, protocol: str, rows: Sequence[Row], seeds: int) -> str:
    shown = _measured(rows)
    lines, reasons = [], set()
    for variant in variants_of(protocol, rows):
        for system in _ENTRANTS:
            own = [row for row in rows if (row["variant"], row["system"]) == (variant, system)]
            if not own:
                continue
            if own[0][REASON]:
                reasons.add(f"`{system}`: not applicable: {own[0][REASON]}.")
                continue
            lines.append([variant, *cells(system, own, shown, seeds)])
    body = table(["", "system", *(HEADS[name] for name in shown)], lines) if lines else ""
    notes = "".join(f"\n{reason}\n" for reason in sorted(reasons))
    return f"## {protocol}, {data}\n\n{PROTOCOLS[protocol].meaning} Data: {DATA[data]}.\n\n{body}{notes}"


def variants_of(protocol: str, rows: Sequence[Row]) -> list[str]:
    """Those that the rows have, as the protocol orders them; then those that it has no more."""
    there = {row["variant"]: None for row in rows}
    order = {name: None for name, _ in PROTOCOLS[protocol].variants(Sizes(), 1)}
    return [*(name for name in order if name in there), *(name for name in there if name not in order)]


def _cell(name: str, values: Sequence[float | None]) -> str:
    """Mean and spread of the seeds that have the figure, and how many these are, where not all have."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    decimals = _DECIMALS.get(name, 2)
    spread = f" ± {statistics.stdev(known):.{decimals}f}" if len(known) > 1 else ""
    of = f" ({len(known)} of {len(values)})" if len(known) < len(values) else ""
    return f"{statistics.mean(known):.{decimals}f}{spread}{of}"
