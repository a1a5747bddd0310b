"""The suite: every protocol, kind of data, system and seed that is asked for, a row each; what is done is not done again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.competitors.boosting import Boosting, normalised, untouched
from faultprint_lab.benchmark.competitors.competitor import Competitor, FittedSystem
from faultprint_lab.benchmark.competitors.encoders import (
    AT_LENGTH,
    AtLength,
    Encoder,
    Oracle,
    Retrained,
)
from faultprint_lab.benchmark.competitors.encoders import CODE as MODEL_CODE
from faultprint_lab.benchmark.competitors.minirocket_competitor import MiniRocketCompetitor
from faultprint_lab.benchmark.competitors.nearest_neighbour import Summarised, Warped
from faultprint_lab.benchmark.competitors.operator_rules import Operator
from faultprint_lab.benchmark.data.datasets import DataFolders, Datasets
from faultprint_lab.benchmark.fivegcore import dataset
from faultprint_lab.benchmark.prepared import PreparedTrial, make_ready
from faultprint_lab.benchmark.protocols.ablations import ABLATIONS
from faultprint_lab.benchmark.protocols.baseline_check import VOUCHED
from faultprint_lab.benchmark.puzzles.batchnorm_gap import GAPS
from faultprint_lab.benchmark.puzzles.variants import TAUGHT
from faultprint_lab.benchmark.puzzles.vector_arithmetic import CARRIERS
from faultprint_lab.benchmark.registry import ANEW, BEYOND, DATA
from faultprint_lab.benchmark.results_file import FIGURES, REASON
from faultprint_lab.benchmark.splits import SPLITS, Sizes
from faultprint_lab.benchmark.trial_run import MeasuredSystem, run_trial
from faultprint_lab.benchmark.trials import PROTOCOLS, BenchmarkTrial, trials

_ALL: Final[tuple[Competitor, ...]] = (
    Encoder("default", "default"),
    Encoder("posts", "posts"),
    *(AtLength(name, name, AT_LENGTH) for name in AT_LENGTH),
    Boosting("lightgbm", normalised),
    Boosting("lightgbm-raw", untouched),
    Summarised(),
    Warped(),
    MiniRocketCompetitor(),
    Operator(),
)
CONTENDERS: Final[Mapping[str, Competitor]] = {contender.name: contender for contender in _ALL}
_ANEW: Final = {name: Retrained(name, "default") for name in ANEW}
_BEYOND: Final = {name: Oracle(name, "default") for name in BEYOND}
_WITHOUT: Final[Mapping[str, Competitor]] = {contender.name: contender for contender in ABLATIONS}
_SLOW: Final = ("posts", "dtw", "minirocket")
"""They take minutes for what others do in seconds: left out where a protocol asks the same question many times."""
_QUICK: Final[Mapping[str, Competitor]] = {name: one for name, one in CONTENDERS.items() if name not in _SLOW}
_GAUGES: Final[Mapping[str, Mapping[str, MeasuredSystem]]] = {
    protocol: {gauge.name: gauge for gauge in gauges}
    for protocol, gauges in (("doubtful", VOUCHED), ("puzzles", TAUGHT), ("gap", GAPS), ("arithmetic", CARRIERS))
}
_OWN: Final[Mapping[str, Mapping[str, Competitor | MeasuredSystem]]] = {
    "new-fault": {**CONTENDERS, **_ANEW, **_BEYOND},
    "unknown": {**CONTENDERS, **_BEYOND},
    "parts": {"default": CONTENDERS["default"], **_WITHOUT},
    "few": _QUICK,
    "rough": _QUICK,
    "strength": _QUICK,
    **_GAUGES,
}
LINE_UPS: Final[Mapping[str, Mapping[str, Competitor | MeasuredSystem]]] = {
    name: _OWN.get(name, CONTENDERS) for name in PROTOCOLS
}
"""Who takes part, by protocol."""
_NAMES: Final = tuple(dict.fromkeys(name for line_up in LINE_UPS.values() for name in line_up))
ROWS_OF_5GC: Final = "5gc-faults"
CODE: Final = (
    *MODEL_CODE,
    "faultprint.cases",
    "faultprint.evaluation",
    "faultprint_lab.baselines",
    "faultprint_lab.benchmark",
)
"""The source that a row depends on."""

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """What to run. Raises UsageError for a name that is none."""

    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    data: tuple[str, ...] = tuple(DATA)
    systems: tuple[str, ...] = _NAMES
    seeds: tuple[int, ...] = (1, 2, 3)
    split: str = SPLITS[0]
    sizes: Sizes = field(default_factory=Sizes)

    def __post_init__(self) -> None:
        for what, given, there in (
            ("protocol", self.protocols, PROTOCOLS),
            ("data", self.data, DATA),
            ("system", self.systems, _NAMES),
            ("split", (self.split,), SPLITS),
        ):
            if strange := [name for name in given if name not in there]:
                raise UsageError(f"There is no {what} {strange[0]!r}; take from {', '.join(there)}.")

    def line_up(self, trial: BenchmarkTrial) -> list[str]:
        """Who takes part in a trial."""
        return [name for name in LINE_UPS[trial.protocol] if name in self.systems]

    def trials(self) -> list[BenchmarkTrial]:
        """In an order in which neighbours share what was learnt."""
        found = [
            trial
            for data in self.data
            for seed in self.seeds
            for protocol in self.protocols
            for trial in trials(protocol, data, self.sizes, self.split, seed)
        ]
        return sorted(found, key=lambda trial: json.dumps(trial.learning, sort_keys=True))


def run(plan: SuitePlan, folder: Path, places: DataFolders, progress: Progress | None = None) -> list[dict[str, Any]]:
    """The plan's rows. All that takes long is kept in `folder`; a run that was killed goes on where it stood."""
    jobs, rows = plan.trials(), []
    total = sum(len(plan.line_up(trial)) for trial in jobs)
    suite = _Suite(plan, folder, places)
    for trial in jobs:
        for row in suite.rows(trial):
            rows.append(row)
            if progress:
                progress(len(rows), total, f"{trial.protocol}, {trial.variant}, {row['system']}, seed {trial.seed}")
    return rows


class _Suite:
    """What is shared between trials."""

    def __init__(self, plan: SuitePlan, folder: Path, places: DataFolders) -> None:
        self.plan = plan
        self.cache = Cache(folder)
        self.stages = Datasets(self.cache, plan.sizes, places)
        self._learning: Mapping[str, Any] = {}
        self._students: dict[str, FittedSystem] = {}

    def rows(self, trial: BenchmarkTrial) -> Iterator[dict[str, Any]]:
        """A row a system."""
        missing = self.stages.missing(trial.data)
        ready: list[PreparedTrial] = []
        for name in self.plan.line_up(trial):
            if reason := missing or self._refuses(trial, name):
                yield _row(trial, name, {REASON: reason})
                continue

            def make(path: Path, name: str = name) -> None:
                if trial.data != ROWS_OF_5GC and not ready:
                    ready.append(make_ready(trial, self.stages, self.cache, self.plan.sizes))
                found = self._figures(trial, name, ready)
                path.write_text(json.dumps(found, allow_nan=False), encoding="utf-8")

            files = self.stages.fingerprint(trial.data)
            arguments = {"contender": name, "sizes": self.plan.sizes.as_dict(), "files": files, **trial.as_dict()}
            yield _row(
                trial, name, json.loads(self.cache.file("row", arguments, CODE, ".json", make).read_text("utf-8"))
            )

    def _refuses(self, trial: BenchmarkTrial, name: str) -> str:
        return (
            fivegcore_rows.refuses(trial, name)
            if trial.data == ROWS_OF_5GC
            else LINE_UPS[trial.protocol][name].refuses(trial)
        )

    def _figures(self, trial: BenchmarkTrial, name: str, ready: Sequence[PreparedTrial]) -> dict[str, Any]:
        if trial.data == ROWS_OF_5GC:
            assert self.stages.places.core is not None  # or `missing` would have said so
            rows = dataset.read(self.stages.places.core)
            return fivegcore_rows.play(trial, name, rows, self.plan.sizes.seconds)
        if not ready[0].places:
            return {REASON: f"no node has {trial.normal} minutes of normal traffic before what is scored"}
        entrant = LINE_UPS[trial.protocol][name]
        if isinstance(entrant, MeasuredSystem):
            return entrant.figures(ready[0])
        return run_trial(self._student(entrant, ready[0]), ready[0])

    def _student(self, contender: Competitor, setting: PreparedTrial) -> FittedSystem:
        """Learnt once for all trials in a row that share what is learnt."""
        if self._learning != setting.school.identity:
            self._learning, self._students = setting.school.identity, {}
        if contender.name not in self._students:
            self._students[contender.name] = contender.learn(setting.school)
        return self._students[contender.name]


def _row(trial: BenchmarkTrial, system: str, found: Mapping[str, Any]) -> dict[str, Any]:
    keys: dict[str, Any] = {"data": trial.data, "protocol": trial.protocol, "variant": trial.variant}
    keys |= {"system": system, "seed": trial.seed, "split": trial.split}
    return keys | {REASON: None} | dict.fromkeys(FIGURES) | dict(found)
