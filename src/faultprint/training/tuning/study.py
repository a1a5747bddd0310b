"""A tuning study: Optuna's trials in one SQLite file, so that a killed study can be continued."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from faultprint.errors import DivergedError, UsageError
from faultprint.files import check_folder
from faultprint.training.config import RANGES, Hyperparameters, Range
from faultprint.training.identity import difference
from faultprint.training.tuning.trial import OnFoldEpoch

NAME: Final = "faultprint"
_IDENTITY: Final = "identity"
_CHECKED: Final = "checked"
_STARTUP: Final = 5
"""First trials, which are never stopped early: the others are compared with them."""
_WARM_UP: Final = 3
"""Epochs of the first fold before a trial can be stopped."""
_STEPS_PER_FOLD: Final = 1_000_000
"""Step numbers of the pruner for each fold: more than a fold has epochs, so that equal epochs of equal folds are compared."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The hyperparameters of a trial, its mean score over all folds (None: stopped early or diverged), and its duration."""

    number: int
    settings: Hyperparameters
    score: float | None
    seconds: float


class Study:
    """The trials in a file. Only one process may use it at a time.

    The next trial depends only on the seed and on the earlier trials, also after a kill.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Open the study in `path`, or create it. Raises UsageError for another file, and for a study with another identity."""
        self.path, self._seed = path, int(identity["seed"])
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        _check_file(path)
        with self._translate_errors():
            pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=_WARM_UP)
            self._study = optuna.create_study(
                storage=_storage(path), study_name=NAME, direction="maximize", pruner=pruner, load_if_exists=True
            )
            if not self._study.trials:
                self._study.set_user_attr(_IDENTITY, dict(identity))
            self._check_identity(identity)
            # A trial that a killed process left unfinished is run again.
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                self._study.tell(trial.number, state=TrialState.FAIL)

    @property
    def results(self) -> list[TrialResult]:
        """All completed and all stopped trials, in order. The first has the defaults."""
        return [_result(number, trial) for number, trial in enumerate(self._finished(), 1)]

    def run_trial(self, score: Callable[[Hyperparameters, OnFoldEpoch], float]) -> None:
        """Run the next trial. Raises UsageError if the file cannot be used."""
        with self._translate_errors():
            trial = self._next()
            with contextlib.suppress(optuna.TrialPruned, DivergedError):
                value = score(Hyperparameters(**trial.params), _pruning_callback(trial))
                self._study.tell(trial, value)
                return
            self._study.tell(trial, state=TrialState.PRUNED)

    def recheck(self, result: TrialResult, score: Callable[[Hyperparameters], float]) -> float:
        """The score of these hyperparameters in the final check. It is computed once and stored."""
        key = f"{_CHECKED} {result.number}"
        with self._translate_errors():
            if key not in self._study.user_attrs:
                self._study.set_user_attr(key, score(result.settings))
            return float(self._study.user_attrs[key])

    def importances(self) -> dict[str, float]:
        """Share of the score's variance due to each hyperparameter alone (fANOVA, Hutter et al. 2014), largest first.

        Only completed trials count. The result is empty if there are fewer than three, or if all scores are equal.
        """
        completed = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(completed) < 3 or len({trial.value for trial in completed}) < 2:
            return {}
        fanova = optuna.importance.FanovaImportanceEvaluator(seed=self._seed)
        return optuna.importance.get_param_importances(self._study, evaluator=fanova)

    def _finished(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))

    def _next(self) -> optuna.Trial:
        """The next trial, the defaults first. Every trial has its own sampler, so that a continued study draws the same."""
        done = len(self._finished())
        seed = int(np.random.SeedSequence([self._seed, done]).generate_state(1)[0])
        self._study.sampler = optuna.samplers.TPESampler(seed=seed)
        if not done and not self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self._study.enqueue_trial(Hyperparameters().as_dict())
        return self._study.ask({name: _distribution(bounds) for name, bounds in RANGES.items()})

    def _check_identity(self, identity: Mapping[str, Any]) -> None:
        try:
            other = difference(self._study.user_attrs[_IDENTITY], identity)
        except (LookupError, TypeError):
            raise _not_a_study(self.path) from None
        if other:
            raise UsageError(
                f"{self.path} is another study, which differs in its {other}; use the same arguments, or give another "
                "file for a new study."
            )

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise an error of Optuna as UsageError: the file is damaged, the disk is full, or another process uses the file."""
        try:
            yield
        except optuna.exceptions.OptunaError as error:
            raise UsageError(
                f"The study {self.path} cannot be used ({str(error).splitlines()[0][:120]}); check that no other process uses it "
                "and that the disk has space, or give another file."
            ) from None


def _result(number: int, trial: FrozenTrial) -> TrialResult:
    duration = trial.duration
    score = trial.value if trial.state is TrialState.COMPLETE else None
    return TrialResult(number, Hyperparameters(**trial.params), score, duration.total_seconds() if duration else 0.0)


def _pruning_callback(trial: optuna.Trial) -> OnFoldEpoch:
    def on_fold_epoch(fold: int, epochs: int, total: float) -> None:
        # The pruner needs a value that never falls: the sum of the best scores of the folds.
        trial.report(total, fold * _STEPS_PER_FOLD + epochs)
        if trial.should_prune():
            raise optuna.TrialPruned

    return on_fold_epoch


def _distribution(bounds: Range) -> BaseDistribution:
    if bounds.step:
        return IntDistribution(int(bounds.low), int(bounds.high), step=bounds.step)
    return FloatDistribution(bounds.low, bounds.high, log=bounds.log)


def _storage(path: Path) -> optuna.storages.RDBStorage:
    # SQLite gets the path itself: in a URL a question mark would end it.
    engine_options = {"creator": lambda: sqlite3.connect(path, check_same_thread=False)}
    try:
        return optuna.storages.RDBStorage("sqlite:///study.db", engine_kwargs=engine_options)
    except RuntimeError:
        raise UsageError(
            f"{path} is a study of another version of Optuna than {optuna.__version__}; give another file."
        ) from None


def _check_file(path: Path) -> None:
    """Raise UsageError unless `path` is a study of Optuna, or empty: no other database must be changed."""
    check_folder(path)
    if not path.exists() or not path.stat().st_size:
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            intact = database.execute("PRAGMA quick_check").fetchone() == ("ok",)
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        intact, tables = False, set()
    if not intact or not {"studies", "trials", "version_info"} <= tables:
        raise _not_a_study(path)


def _not_a_study(path: Path) -> UsageError:
    return UsageError(f"{path} is not a study of `faultprint tune`; give another file, or the name of a new one.")
