"""Tuning: a search for hyperparameters that suit the data, and a report of their importance."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from faultprint.errors import UsageError
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue
from faultprint.progress import NotedProgress
from faultprint.training.config import Hyperparameters
from faultprint.training.data.dataset import training_set
from faultprint.training.device import select_device
from faultprint.training.identity import identity
from faultprint.training.loop import Clock
from faultprint.training.presets import PRESETS, Preset
from faultprint.training.train import WINDOW
from faultprint.training.tuning.study import Study, TrialResult
from faultprint.training.tuning.trial import OnFoldEpoch, TuningTrial, assign_folds
from faultprint.units import MINUTE_US
from faultprint.windows.series import Series

FOLDS: Final = 3
_RECHECK_SEED: Final = 1
"""Added to the seed for the final check, which so has other folds and other initial weights."""


@dataclass(frozen=True, slots=True)
class TuningReport:
    """The result of a tuning study.

    limit            how long a trial may train, as text
    results          all trials; the first has the defaults
    best             the best trial
    recheck_scores   scores of the defaults and of the best trial on other folds with other initial weights
    importances      see `Study.importances`
    """

    study: str
    seed: int
    networks: tuple[str, ...]
    folds: int
    limit: str
    results: tuple[TrialResult, ...]
    best: TrialResult
    recheck_scores: tuple[float, float]
    importances: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return {_STORED_KEYS.get(name, name): value for name, value in asdict(self).items()}


_STORED_KEYS: Final = {"limit": "bound", "results": "tried", "recheck_scores": "check"}
"""JSON keys of the report that differ from the names here."""


def tune(
    minutes: pl.DataFrame | Sequence[Series],
    labels: pl.DataFrame,
    study_file: Path,
    *,
    trials: int,
    seed: int = 1,
    folds: int = FOLDS,
    max_seconds: float | None = None,
    epochs: int | None = None,
    progress: NotedProgress = lambda done, total, note: None,
    catalogue: Catalogue = SIP_CATALOGUE,
    interval_us: int = MINUTE_US,
    preset: Preset = PRESETS["default"],
    device: str = "cpu",
    clock: Clock | None = None,
) -> TuningReport:
    """Run trials until the study has `trials` of them. The first trial has the default hyperparameters.

    A trial trains once for each of `folds` folds of the networks. Its score is the mean over the folds of the best epoch's
    macro-F1 on the held-out networks. `max_seconds` limits all folds of a trial together, `epochs` each fold; the default is
    the preset's plan. `clock` gives the seconds. By default it counts processor time, so that trials on a busy machine can be
    compared. The same data and arguments give the same trials if the length is given by epochs. Raises TableError, LabelError
    or UsageError.
    """
    if trials < 1:
        raise UsageError(f"The number of trials is {trials}, but a study needs at least one; give a larger number.")
    data = training_set(minutes, labels, catalogue, window=WINDOW, interval_us=interval_us)
    torch_device = select_device(device)
    plan = preset.plan.with_limits(None if max_seconds is None else max_seconds / folds, epochs)
    trial_folds = assign_folds(data, folds, seed)
    clock = clock or (time.thread_time if torch_device.type == "cpu" else time.perf_counter)
    trial = TuningTrial(preset, trial_folds, plan, seed, torch_device, clock)
    recheck_seed = seed + _RECHECK_SEED
    recheck = TuningTrial(preset, assign_folds(data, folds, recheck_seed), plan, recheck_seed, torch_device, clock)
    study = Study(study_file, identity("default", seed, plan, data, folds=folds))
    while len(results := study.results) < trials:
        study.run_trial(_score_with_progress(trial, results, trials, progress))
    progress(trials, trials, "checking the best on other folds")
    return _report(study, recheck, seed, data.networks, folds, _limit_text(max_seconds, epochs, plan.epochs))


def _score_with_progress(
    trial: TuningTrial, results: Sequence[TrialResult], trials: int, progress: NotedProgress
) -> Callable[[Hyperparameters, OnFoldEpoch], float]:
    """A function that scores hyperparameters and reports progress after every epoch."""
    done, best = len(results), max((result.score or 0.0 for result in results), default=0.0)

    def score(hyperparameters: Hyperparameters, on_fold_epoch: OnFoldEpoch) -> float:
        def report(fold: int, epochs: int, total: float) -> None:
            progress(done, trials, f"trial {done + 1}, fold {fold + 1}, epoch {epochs}, best {best:.3f}")
            on_fold_epoch(fold, epochs, total)

        return trial.score(hyperparameters, report)

    return score


def _limit_text(max_seconds: float | None, epochs: int | None, planned: int) -> str:
    if epochs is None and max_seconds is not None:
        return f"{max_seconds:g} seconds a trial"
    limit = f"{epochs or planned} epochs a fold"
    return limit if max_seconds is None else f"{limit}, at most {max_seconds:g} seconds a trial"


def _report(
    study: Study, recheck: TuningTrial, seed: int, networks: tuple[str, ...], folds: int, limit: str
) -> TuningReport:
    results = study.results
    scored = [result for result in results if result.score is not None]
    if not scored:
        raise UsageError("No trial was completed, not even that with the defaults; give more seconds or epochs.")
    best = max(scored, key=lambda result: result.score or 0.0)
    defaults_score, best_score = (study.recheck(result, recheck.score) for result in (results[0], best))
    return TuningReport(
        study=str(study.path),
        seed=seed,
        networks=networks,
        folds=folds,
        limit=limit,
        results=tuple(results),
        best=best,
        recheck_scores=(defaults_score, best_score),
        importances=study.importances(),
    )
