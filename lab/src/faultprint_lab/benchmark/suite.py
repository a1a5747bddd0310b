"""The suite: one row of figures for each protocol, kind of data, system and seed; finished rows are not computed again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.progress import NotedProgress
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.competitors.boosting import BoostedTreesCompetitor, normalised_summaries, raw_summaries
from faultprint_lab.benchmark.competitors.competitor import Competitor, FittedSystem
from faultprint_lab.benchmark.competitors.encoders import CODE as MODEL_CODE
from faultprint_lab.benchmark.competitors.encoders import (
    FULL_LENGTH,
    EncoderCompetitor,
    FullLengthEncoder,
    Oracle,
    Retrained,
)
from faultprint_lab.benchmark.competitors.minirocket_competitor import MiniRocketCompetitor
from faultprint_lab.benchmark.competitors.nearest_neighbour import DtwNearestNeighbour, SummaryNearestNeighbour
from faultprint_lab.benchmark.competitors.operator_rules import OperatorRules
from faultprint_lab.benchmark.data.datasets import DataFolders, Datasets
from faultprint_lab.benchmark.fivegcore import cross_validation
from faultprint_lab.benchmark.fivegcore.dataset import read as read_core
from faultprint_lab.benchmark.prepared import PreparedTrial, prepare
from faultprint_lab.benchmark.protocols.ablations import ABLATIONS
from faultprint_lab.benchmark.protocols.baseline_check import BASELINE_CHECKS
from faultprint_lab.benchmark.puzzles.batchnorm_gap import GAP_MEASUREMENTS
from faultprint_lab.benchmark.puzzles.variants import VARIANT_ENCODERS
from faultprint_lab.benchmark.puzzles.vector_arithmetic import ARITHMETIC_ENCODERS
from faultprint_lab.benchmark.registry import DATA, ORACLES, RETRAINED
from faultprint_lab.benchmark.results_file import FIGURES, REASON
from faultprint_lab.benchmark.splits import SPLITS, Sizes
from faultprint_lab.benchmark.trial_run import MeasuredSystem, run_trial
from faultprint_lab.benchmark.trials import PROTOCOLS, BenchmarkTrial, trials

_ALL: Final[tuple[Competitor, ...]] = (
    EncoderCompetitor("default", "default"),
    EncoderCompetitor("reference-lstm", "reference-lstm"),
    *(FullLengthEncoder(name, name, FULL_LENGTH) for name in FULL_LENGTH),
    BoostedTreesCompetitor("lightgbm", normalised_summaries),
    BoostedTreesCompetitor("lightgbm-raw", raw_summaries),
    SummaryNearestNeighbour(),
    DtwNearestNeighbour(),
    MiniRocketCompetitor(),
    OperatorRules(),
)
COMPETITORS: Final[Mapping[str, Competitor]] = {competitor.name: competitor for competitor in _ALL}
_RETRAINED: Final = {name: Retrained(name, "default") for name in RETRAINED}
_ORACLES: Final = {name: Oracle(name, "default") for name in ORACLES}
_ABLATED: Final[Mapping[str, Competitor]] = {competitor.name: competitor for competitor in ABLATIONS}
_SLOW: Final = ("reference-lstm", "dtw", "minirocket")
"""They take minutes where others take seconds, so they are left out of protocols with many similar trials."""
_FAST: Final[Mapping[str, Competitor]] = {name: each for name, each in COMPETITORS.items() if name not in _SLOW}
_MEASURED: Final[Mapping[str, Mapping[str, MeasuredSystem]]] = {
    protocol: {system.name: system for system in systems}
    for protocol, systems in (
        ("baseline-check", BASELINE_CHECKS),
        ("encoder-variants", VARIANT_ENCODERS),
        ("batchnorm-gap", GAP_MEASUREMENTS),
        ("vector-arithmetic", ARITHMETIC_ENCODERS),
    )
}
_SPECIAL: Final[Mapping[str, Mapping[str, Competitor | MeasuredSystem]]] = {
    "new-fault": {**COMPETITORS, **_RETRAINED, **_ORACLES},
    "open-set": {**COMPETITORS, **_ORACLES},
    "ablation": {"default": COMPETITORS["default"], **_ABLATED},
    "learning-curve": _FAST,
    "degraded": _FAST,
    "by-severity": _FAST,
    **_MEASURED,
}
LINEUPS: Final[Mapping[str, Mapping[str, Competitor | MeasuredSystem]]] = {
    name: _SPECIAL.get(name, COMPETITORS) for name in PROTOCOLS
}
"""The systems of each protocol, by name."""
_SYSTEMS: Final = tuple(dict.fromkeys(name for lineup in LINEUPS.values() for name in lineup))
_CORE_DATA: Final = "5gc-faults"
CODE: Final = (
    *MODEL_CODE,
    "faultprint.cases",
    "faultprint.evaluation",
    "faultprint_lab.baselines",
    "faultprint_lab.benchmark",
)
"""The code that a row depends on."""


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """What to run. Raises UsageError for an unknown name."""

    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    data: tuple[str, ...] = tuple(DATA)
    systems: tuple[str, ...] = _SYSTEMS
    seeds: tuple[int, ...] = (1, 2, 3)
    split: str = SPLITS[0]
    sizes: Sizes = field(default_factory=Sizes)

    def __post_init__(self) -> None:
        for what, names, known in (
            ("protocol", self.protocols, PROTOCOLS),
            ("data", self.data, DATA),
            ("system", self.systems, _SYSTEMS),
            ("split", (self.split,), SPLITS),
        ):
            if unknown := [name for name in names if name not in known]:
                raise UsageError(f"There is no {what} {unknown[0]!r}; choose from {', '.join(known)}.")

    def lineup(self, trial: BenchmarkTrial) -> list[str]:
        """Names of the systems in a trial."""
        return [name for name in LINEUPS[trial.protocol] if name in self.systems]

    def trials(self) -> list[BenchmarkTrial]:
        """All trials, those that share trained models one after another."""
        planned = [
            trial
            for data in self.data
            for seed in self.seeds
            for protocol in self.protocols
            for trial in trials(protocol, data, self.sizes, self.split, seed)
        ]
        return sorted(planned, key=lambda trial: json.dumps(trial.training, sort_keys=True))


def run(
    plan: SuitePlan, folder: Path, folders: DataFolders, progress: NotedProgress | None = None
) -> list[dict[str, Any]]:
    """The rows of the plan. Results that take long are kept in `folder`; a run that was killed continues from them."""
    planned, rows = plan.trials(), []
    total = sum(len(plan.lineup(trial)) for trial in planned)
    suite = Suite(plan, folder, folders)
    for trial in planned:
        for row in suite.rows(trial):
            rows.append(row)
            if progress:
                progress(len(rows), total, f"{trial.protocol}, {trial.variant}, {row['system']}, seed {trial.seed}")
    return rows


class Suite:
    """What the trials of a plan share: the cache, the data sets and the fitted systems."""

    def __init__(self, plan: SuitePlan, folder: Path, folders: DataFolders) -> None:
        self.plan, self.folders = plan, folders
        self.cache = Cache(folder)
        self.datasets = Datasets(self.cache, plan.sizes, folders)
        self._identity: Mapping[str, Any] = {}
        self._fitted: dict[str, FittedSystem] = {}

    def rows(self, trial: BenchmarkTrial) -> Iterator[dict[str, Any]]:
        """One row for each system."""
        missing = self.datasets.missing(trial.data)
        ready: list[PreparedTrial] = []
        for name in self.plan.lineup(trial):
            if reason := missing or _exclusion_reason(trial, name):
                yield _row(trial, name, {REASON: reason})
                continue

            def make(path: Path, name: str = name) -> None:
                if trial.data != _CORE_DATA and not ready:
                    ready.append(prepare(trial, self.datasets, self.cache, self.plan.sizes))
                figures = self._figures(trial, name, ready)
                path.write_text(json.dumps(figures, allow_nan=False), encoding="utf-8")

            files = self.datasets.fingerprint(trial.data)
            arguments = {"system": name, "sizes": self.plan.sizes.as_dict(), "files": files, **trial.as_dict()}
            path = self.cache.file("row", arguments, CODE, ".json", make)
            yield _row(trial, name, json.loads(path.read_text("utf-8")))

    def _figures(self, trial: BenchmarkTrial, name: str, ready: Sequence[PreparedTrial]) -> dict[str, Any]:
        if trial.data == _CORE_DATA:
            assert self.folders.core is not None  # otherwise the data would be missing
            rows = read_core(self.folders.core)
            return cross_validation.run_trial(trial, name, rows, self.plan.sizes.seconds)
        if not ready[0].scopes:
            return {REASON: f"no node has {trial.normal} minutes of normal traffic before the scored minutes"}
        system = LINEUPS[trial.protocol][name]
        if isinstance(system, MeasuredSystem):
            return system.figures(ready[0])
        return run_trial(self.fitted(system, ready[0]), ready[0])

    def fitted(self, competitor: Competitor, prepared: PreparedTrial) -> FittedSystem:
        """The competitor, trained once for consecutive trials with the same training data."""
        if self._identity != prepared.data.identity:
            self._identity, self._fitted = prepared.data.identity, {}
        if competitor.name not in self._fitted:
            self._fitted[competitor.name] = competitor.fit(prepared.data)
        return self._fitted[competitor.name]


def _exclusion_reason(trial: BenchmarkTrial, name: str) -> str:
    if trial.data == _CORE_DATA:
        return cross_validation.exclusion_reason(trial, name)
    return LINEUPS[trial.protocol][name].exclusion_reason(trial)


def _row(trial: BenchmarkTrial, system: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    keys: dict[str, Any] = {"data": trial.data, "protocol": trial.protocol, "variant": trial.variant}
    keys |= {"system": system, "seed": trial.seed, "split": trial.split}
    return keys | {REASON: None} | dict.fromkeys(FIGURES) | dict(figures)
