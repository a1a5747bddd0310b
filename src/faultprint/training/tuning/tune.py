"""From minutes and labels to better settings, and a report of what mattered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from faultprint.errors import UsageError
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue
from faultprint.training.config import Hyperparameters
from faultprint.training.data.dataset import training_set
from faultprint.training.device import device as found_device
from faultprint.training.identity import identity
from faultprint.training.loop import Clock
from faultprint.training.train import PRESETS, WINDOW, Preset
from faultprint.training.tuning.study import Study, TrialResult
from faultprint.training.tuning.trial import After, TuningTrial, assign_folds
from faultprint.units import MINUTE_US
from faultprint.windows.series import (
    Series,
)

FOLDS: Final = 3
_FRESH: Final = 1
"""Added to the seed for the check: other folds, other first weights."""

Progress = Callable[[int, int, str], None]
"""Trials done, of how many, and how the present one stands."""


@dataclass(frozen=True, slots=True)
class TuningReport:
    """What came of a study.

    `tried` are all trials, that of the defaults first, `best` the best of them; `check` holds the scores of the defaults and of the
    best on other folds with other first weights, which the choice of the best has not seen; `importances` see
    `Study.importances`.
    """

    study: str
    seed: int
    networks: tuple[str, ...]
    folds: int
    bound: str
    tried: tuple[TrialResult, ...]
    best: TrialResult
    check: tuple[float, float]
    importances: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def tune(
    minutes: pl.DataFrame | Sequence[Series],
    labels: pl.DataFrame,
    study: Path,
    *,
    trials: int,
    seed: int = 1,
    folds: int = FOLDS,
    max_seconds: float | None = None,
    epochs: int | None = None,
    progress: Progress = lambda done, total, note: None,
    catalogue: Catalogue = SIP_CATALOGUE,
    interval_us: int = MINUTE_US,
    preset: Preset = PRESETS["default"],
    device: str = "cpu",
    clock: Clock | None = None,
) -> TuningReport:
    """Try `trials` settings in all, those already in the file `study` included, the defaults first.

    A trial trains once for each of `folds` folds of the networks, in `max_seconds` for all of them (default: as long as the
    preset's plan says, or `epochs` a fold), and scores the mean of the best epochs' macro-F1 on the networks held out.
    `clock` gives the seconds, on the processor by default those of a core, so that trials on a busy machine are compared
    fairly. Same tables, arguments and epochs: same trials. Raises TableError, LabelError or UsageError.
    """
    if trials < 1:
        raise UsageError("A study needs one trial at least, that of the defaults; give a larger number.")
    everything = training_set(minutes, labels, catalogue, window=WINDOW, interval_us=interval_us)
    where = found_device(device)
    plan = preset.plan.bounded(None if max_seconds is None else max_seconds / folds, epochs)
    parts = assign_folds(everything, folds, seed)
    seconds = clock or (time.thread_time if where.type == "cpu" else time.perf_counter)
    one = TuningTrial(preset, parts, plan, seed, where, seconds)
    fresh = TuningTrial(preset, assign_folds(everything, folds, seed + _FRESH), plan, seed + _FRESH, where, seconds)
    kept = Study(study, identity("default", seed, plan, everything, folds=folds))
    while len(tried := kept.tried) < trials:
        kept.attempt(_watched(one, tried, trials, progress))
    progress(trials, trials, "checking the best on other folds")
    return _report(kept, fresh, seed, everything.networks, folds, _bound(max_seconds, epochs, plan.epochs))


def _watched(
    one: TuningTrial, tried: Sequence[TrialResult], trials: int, progress: Progress
) -> Callable[[Hyperparameters, After], float]:
    """The score of a trial that tells of itself after every epoch."""
    done, best = len(tried), max((each.score or 0.0 for each in tried), default=0.0)

    def score(settings: Hyperparameters, after: After) -> float:
        def told(fold: int, epochs: int, total: float) -> None:
            progress(done, trials, f"trial {done + 1}, fold {fold + 1}, epoch {epochs}, best {best:.3f}")
            after(fold, epochs, total)

        return one.score(settings, told)

    return score


def _bound(max_seconds: float | None, epochs: int | None, planned: int) -> str:
    if epochs is None and max_seconds is not None:
        return f"{max_seconds:g} seconds a trial"
    limit = f"{epochs or planned} epochs a fold"
    return limit if max_seconds is None else f"{limit}, at most {max_seconds:g} seconds a trial"


def _report(
    kept: Study, fresh: TuningTrial, seed: int, networks: tuple[str, ...], folds: int, bound: str
) -> TuningReport:
    tried = kept.tried
    scored = [one for one in tried if one.score is not None]
    if not scored:
        raise UsageError("No trial came to its end, not even that of the defaults; give more seconds or epochs.")
    best = max(scored, key=lambda one: one.score or 0.0)
    check = tuple(kept.checked(one, fresh.score) for one in (tried[0], best))
    return TuningReport(
        study=str(kept.path),
        seed=seed,
        networks=networks,
        folds=folds,
        bound=bound,
        tried=tuple(tried),
        best=best,
        check=(check[0], check[1]),
        importances=kept.importances(),
    )
