"""A study of settings that survives being killed: Optuna's, in one SQLite file."""

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
from faultprint.training.tuning.trial import After

NAME: Final = "faultprint"
_IDENTITY: Final = "identity"
_CHECKED: Final = "checked"
_STARTUP: Final = 5
"""Trials that are never stopped early: the rest are compared with them."""
_WARM_UP: Final = 3
"""Epochs of the first fold before a trial may be stopped."""
_FOLD: Final = 1_000_000
"""The pruner's steps a fold, more than there are epochs: the same epoch of the same fold is compared."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One set of settings: its mean score over all folds (None: stopped early, or diverged), and the seconds that it took."""

    number: int
    settings: Hyperparameters
    score: float | None
    seconds: float


class Study:
    """What was tried, in a file. One process at a time works on it.

    What is tried next depends on the seed and on what was tried before, not on where a kill fell.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Open the study in `path`, or begin it. Raises UsageError for another file, and for a study of something else."""
        self.path, self._seed = path, int(identity["seed"])
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        _check(path)
        with self._guarded():
            pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=_WARM_UP)
            self._study = optuna.create_study(
                storage=_storage(path), study_name=NAME, direction="maximize", pruner=pruner, load_if_exists=True
            )
            if not self._study.trials:
                self._study.set_user_attr(_IDENTITY, dict(identity))
            self._same(identity)
            # What a killed process left half done is tried anew.
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                self._study.tell(trial.number, state=TrialState.FAIL)

    @property
    def tried(self) -> list[TrialResult]:
        """All that was tried to its end or stopped early, in order; the first are the defaults."""
        return [_tried(number, trial) for number, trial in enumerate(self._finished(), 1)]

    def attempt(self, score: Callable[[Hyperparameters, After], float]) -> None:
        """Try the next settings. Raises UsageError where the file cannot be worked on."""
        with self._guarded():
            trial = self._next()
            with contextlib.suppress(optuna.TrialPruned, DivergedError):
                value = score(Hyperparameters(**trial.params), _pruning(trial))
                self._study.tell(trial, value)
                return
            self._study.tell(trial, state=TrialState.PRUNED)

    def checked(self, tried: TrialResult, score: Callable[[Hyperparameters], float]) -> float:
        """The score of these settings in a check, which is made once and then remembered."""
        key = f"{_CHECKED} {tried.number}"
        with self._guarded():
            if key not in self._study.user_attrs:
                self._study.set_user_attr(key, score(tried.settings))
            return float(self._study.user_attrs[key])

    def importances(self) -> dict[str, float]:
        """The share of the score's variation that goes with each setting alone (fANOVA, Hutter et al. 2014), largest first.

        Only trials that went to their end count; empty where fewer than three did, or all scored alike.
        """
        whole = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(whole) < 3 or len({trial.value for trial in whole}) < 2:
            return {}
        fanova = optuna.importance.FanovaImportanceEvaluator(seed=self._seed)
        return optuna.importance.get_param_importances(self._study, evaluator=fanova)

    def _finished(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))

    def _next(self) -> optuna.Trial:
        """The defaults first. A sampler begins anew for every trial, so that a study that goes on draws as if unbroken."""
        done = len(self._finished())
        seed = int(np.random.SeedSequence([self._seed, done]).generate_state(1)[0])
        self._study.sampler = optuna.samplers.TPESampler(seed=seed)
        if not done and not self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self._study.enqueue_trial(Hyperparameters().as_dict())
        return self._study.ask({name: _distribution(one) for name, one in RANGES.items()})

    def _same(self, identity: Mapping[str, Any]) -> None:
        try:
            other = difference(self._study.user_attrs[_IDENTITY], identity)
        except (LookupError, TypeError):
            raise _foreign(self.path) from None
        if other:
            raise UsageError(
                f"{self.path} is a study with other {other}; start it with the same arguments, or give another file to begin anew."
            )

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Optuna's own errors as ours: the file is damaged, full, or somebody else's work went on in it."""
        try:
            yield
        except optuna.exceptions.OptunaError as error:
            raise UsageError(
                f"The study {self.path} cannot be worked on ({str(error).splitlines()[0][:120]}); see that no other process has "
                "it and that there is room, or give another file."
            ) from None


def _tried(number: int, trial: FrozenTrial) -> TrialResult:
    took = trial.duration
    score = trial.value if trial.state is TrialState.COMPLETE else None
    return TrialResult(number, Hyperparameters(**trial.params), score, took.total_seconds() if took else 0.0)


def _pruning(trial: optuna.Trial) -> After:
    def after(fold: int, epochs: int, total: float) -> None:
        # The sum over the folds never falls, as the pruner needs, which compares a trial's best so far.
        trial.report(total, fold * _FOLD + epochs)
        if trial.should_prune():
            raise optuna.TrialPruned

    return after


def _distribution(one: Range) -> BaseDistribution:
    if one.step:
        return IntDistribution(int(one.low), int(one.high), step=one.step)
    return FloatDistribution(one.low, one.high, log=one.log)


def _storage(path: Path) -> optuna.storages.RDBStorage:
    # The path goes to SQLite as it is: in a URL a question mark would end it.
    opened = {"creator": lambda: sqlite3.connect(path, check_same_thread=False)}
    try:
        return optuna.storages.RDBStorage("sqlite:///study.db", engine_kwargs=opened)
    except RuntimeError:
        raise UsageError(
            f"{path} is a study of another version of Optuna than {optuna.__version__}; give another file to begin anew."
        ) from None


def _check(path: Path) -> None:
    """Raise UsageError unless `path` holds a study of Optuna's, or nothing: no other database shall be written into."""
    check_folder(path)
    if not path.exists() or not path.stat().st_size:
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            whole = database.execute("PRAGMA quick_check").fetchone() == ("ok",)
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        whole, tables = False, set()
    if not whole or not {"studies", "trials", "version_info"} <= tables:
        raise _foreign(path)


def _foreign(path: Path) -> UsageError:
    return UsageError(f"{path} is no study of `faultprint tune`; give another file, which need not be there yet.")
