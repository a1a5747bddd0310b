from __future__ import annotations

import json

import pytest

from faultprint.errors import UsageError
from faultprint.training.models.reference_task import BATCH
from faultprint_lab.benchmark.competitors.encoders import FULL_LENGTH
from faultprint_lab.benchmark.registry import ABLATED, DATA, ORACLES, PUZZLES, RETRAINED, SYSTEMS
from faultprint_lab.benchmark.results_file import FIGURES
from faultprint_lab.benchmark.splits import QUICK, Sizes
from faultprint_lab.benchmark.suite import LINEUPS, SuitePlan
from faultprint_lab.benchmark.trials import FOLDS, PROTOCOLS, trials
from faultprint_lab.pages.results import HEADS
from faultprint_lab.simulate.faults.table import FAULTS


def test_the_tables_agree() -> None:
    assert list(SYSTEMS) == list(LINEUPS["unseen"])
    assert [*SYSTEMS, *ORACLES] == list(LINEUPS["open-set"])
    assert [*SYSTEMS, *RETRAINED, *ORACLES] == list(LINEUPS["new-fault"])
    assert ["default", *ABLATED] == list(LINEUPS["ablation"])
    puzzles = {
        name for protocol in ("encoder-variants", "batchnorm-gap", "vector-arithmetic") for name in LINEUPS[protocol]
    }
    assert puzzles == {*PUZZLES, "default", "reference-lstm", "no profile"}
    assert {data for protocol in PROTOCOLS.values() for data in protocol.data} == set(DATA)
    assert set(HEADS) == set(FIGURES)


def test_full_length_training_has_100_000_triplets_and_one_protocol() -> None:
    for name, preset in FULL_LENGTH.items():
        assert preset.plan.epochs * preset.plan.steps * BATCH == 100_000
        included = [trial for trial in SuitePlan().trials() if not LINEUPS["unseen"][name].exclusion_reason(trial)]
        assert {(trial.protocol, trial.data) for trial in included} == {("unseen", "simulated")}


def test_three_seeds_hide_every_fault_once() -> None:
    folds = [trials("new-fault", "simulated", Sizes(), "validation", seed)[0].hidden for seed in (1, 2, 3)]
    names = sorted(FAULTS)
    hidden = [name for fold in folds if fold for name in names[fold.fold :: FOLDS]]
    assert sorted(hidden) == names


def test_variants_of_a_protocol_share_trained_models() -> None:
    for protocol in ("unseen", "new-fault", "degraded"):
        every = [json.dumps(trial.training) for trial in trials(protocol, "simulated", Sizes(), "validation", 1)]
        assert len(every) > 1 and len(set(every)) == 1
    assert len(
        {json.dumps(t.training) for t in trials("learning-curve", "simulated", Sizes(), "validation", 1)}
    ) == len(Sizes().learning_curve)


def test_trials_with_the_same_training_follow_one_another() -> None:
    plan = SuitePlan(seeds=(1, 2), sizes=QUICK)
    every = [json.dumps(trial.training, sort_keys=True) for trial in plan.trials()]
    assert every == sorted(every)
    assert len({json.dumps(trial.as_dict(), sort_keys=True) for trial in plan.trials()}) == len(every)
    assert {trial.protocol for trial in plan.trials()} == set(PROTOCOLS)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"protocols": ("sooth",)}, "no protocol 'sooth'"),
        ({"systems": ("prophet",)}, "no system 'prophet'"),
        ({"data": ("dreams",)}, "no data 'dreams'"),
        ({"split": "train"}, "no split 'train'"),
    ],
)
def test_an_unknown_name_is_refused(wrong: dict[str, tuple[str, ...]], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        SuitePlan(**wrong)  # type: ignore[arg-type]
