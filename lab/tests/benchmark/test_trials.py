from __future__ import annotations

import json

import pytest

from faultprint.errors import UsageError
from faultprint.training.models.reference_task import BATCH
from faultprint_lab.benchmark.competitors.encoders import AT_LENGTH
from faultprint_lab.benchmark.registry import ANEW, BEYOND, DATA, PARTS, PUZZLES, SYSTEMS
from faultprint_lab.benchmark.results_file import FIGURES
from faultprint_lab.benchmark.splits import QUICK, Sizes
from faultprint_lab.benchmark.suite import LINE_UPS, SuitePlan
from faultprint_lab.benchmark.trials import FOLDS, PROTOCOLS, trials
from faultprint_lab.pages.results import HEADS
from faultprint_lab.simulate.faults.table import FAULTS


def test_the_tables_agree() -> None:
    assert list(SYSTEMS) == list(LINE_UPS["unseen"])
    assert [*SYSTEMS, *BEYOND] == list(LINE_UPS["unknown"])
    assert [*SYSTEMS, *ANEW, *BEYOND] == list(LINE_UPS["new-fault"])
    assert ["default", *PARTS] == list(LINE_UPS["parts"])
    puzzles = {name for protocol in ("puzzles", "gap", "arithmetic") for name in LINE_UPS[protocol]}
    assert puzzles == {*PUZZLES, "default", "posts", "no profile"}
    assert {data for protocol in PROTOCOLS.values() for data in protocol.data} == set(DATA)
    assert set(HEADS) == set(FIGURES)


def test_training_at_length_is_a_hundred_thousand_triplets_for_one_protocol() -> None:
    for name, preset in AT_LENGTH.items():
        assert preset.plan.epochs * preset.plan.steps * BATCH == 100_000
        there = [trial for trial in SuitePlan().trials() if not LINE_UPS["unseen"][name].refuses(trial)]
        assert {(trial.protocol, trial.data) for trial in there} == {("unseen", "simulated")}


def test_three_seeds_hide_every_fault_once() -> None:
    folds = [trials("new-fault", "simulated", Sizes(), "choose", seed)[0].hidden for seed in (1, 2, 3)]
    names = sorted(FAULTS)
    hidden = [name for fold in folds if fold for name in names[fold.fold :: FOLDS]]
    assert sorted(hidden) == names


def test_variants_of_a_protocol_share_what_is_learnt() -> None:
    for protocol in ("unseen", "new-fault", "rough"):
        every = [json.dumps(trial.learning) for trial in trials(protocol, "simulated", Sizes(), "choose", 1)]
        assert len(every) > 1 and len(set(every)) == 1
    assert len({json.dumps(t.learning) for t in trials("few", "simulated", Sizes(), "choose", 1)}) == len(Sizes().few)


def test_a_plan_knows_its_trials_by_what_is_learnt() -> None:
    plan = SuitePlan(seeds=(1, 2), sizes=QUICK)
    every = [json.dumps(trial.learning, sort_keys=True) for trial in plan.trials()]
    assert every == sorted(every)
    assert len({json.dumps(trial.as_dict(), sort_keys=True) for trial in plan.trials()}) == len(every)
    assert {trial.protocol for trial in plan.trials()} == set(PROTOCOLS)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"protocols": ("sooth",)}, "no protocol 'sooth'"),
        ({"systems": ("oracle",)}, "no system 'oracle'"),
        ({"data": ("dreams",)}, "no data 'dreams'"),
        ({"split": "train"}, "no split 'train'"),
    ],
)
def test_a_strange_name_is_refused(wrong: dict[str, tuple[str, ...]], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SuitePlan(**wrong)  # type: ignore[arg-type]
