"""Minutes in, verdicts out: on a network that gave no reference."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.synthetic import SIGNATURES, minute, minutes, random_model

from faultprint import storage
from faultprint.cases.baseline import Baseline
from faultprint.cases.decision import Rule
from faultprint.cases.enrol import Enrolment, enrol
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.embedding.model import Model
from faultprint.errors import LibraryError, ModelError, TableError, UsageError
from faultprint.tables import VERDICTS

NOW = datetime(2026, 2, 1, tzinfo=UTC)
FAULTS = [(120, 150, "register-timeouts"), (240, 270, "invite-errors"), (360, 390, "bye-slow")]


@pytest.fixture(scope="module")
def library(model: Model) -> Iterator[Library]:
    with Library.open(":memory:") as opened:
        table = minutes("alpha-1", 420, FAULTS, seed=1)
        for start, end, name in FAULTS:
            opened.add([enrol(table, Enrolment(name, (minute(start), minute(end))), model, created=NOW)])
        yield opened


@pytest.fixture(scope="module")
def unseen() -> pl.DataFrame:
    return minutes("beta-1", 420, [(100, 130, "bye-slow"), (250, 290, "register-timeouts")], seed=2)


def verdict_at(verdicts: pl.DataFrame, number: int) -> str:
    return str(verdicts.filter(pl.col("minute") == minute(number))["condition"].item())


def test_faults_are_named_on_another_network(model: Model, library: Library, unseen: pl.DataFrame) -> None:
    verdicts = identify(unseen, model, library)
    storage.check_schema(verdicts.schema, VERDICTS, "verdicts")
    storage.check_values(verdicts, VERDICTS, "verdicts")
    assert verdicts["minute"].to_list() == unseen["minute"].to_list()
    assert [verdict_at(verdicts, number) for number in (90, 129, 220, 289, 410)] == [
        "normal",
        "bye-slow",
        "normal",
        "register-timeouts",
        "normal",
    ]


def test_the_first_hour_warms_up(model: Model, library: Library, unseen: pl.DataFrame) -> None:
    verdicts = identify(unseen, model, library)
    assert (verdicts["condition"][:60] == "warming-up").all()
    assert "warming-up" not in verdicts["condition"][60:].to_list()
    shorter = identify(unseen, model, library, baseline=Baseline.first(90))
    assert (shorter["condition"][:90] == "warming-up").all() and shorter["condition"][90] != "warming-up"


def test_with_a_baseline_interval_verdicts_begin_with_the_first_whole_window(
    model: Model, library: Library, unseen: pl.DataFrame
) -> None:
    interval = minute(320), minute(420)
    for policy in (Baseline.interval(*interval), Baseline.intervals({"beta-1": interval})):
        verdicts = identify(unseen, model, library, baseline=policy)
        assert (
            verdict_at(verdicts, 46) == "warming-up" and verdict_at(verdicts, 47) == "normal"
        )  # 48 minutes, four fifths
        assert verdict_at(verdicts, 129) == "bye-slow"
    elsewhere = identify(unseen, model, library, baseline=Baseline.intervals({"other": (minute(0), minute(10))}))
    assert verdict_at(elsewhere, 59) == "warming-up"


def test_distances_are_those_of_the_nearest_and_the_second(
    model: Model, library: Library, unseen: pl.DataFrame
) -> None:
    rows = identify(unseen, model, library)[100:]
    assert (rows["distance"] <= rows["runner_up_distance"]).all()
    assert (rows["nearest"] != rows["runner_up"]).all()
    margin = rows["runner_up_distance"] - rows["distance"]
    assert rows["margin"].to_numpy() == pytest.approx(margin.to_numpy(), abs=1e-5)
    assert identify(unseen, model, library)["distance"][:40].null_count() == 40


def test_evidence_names_what_the_fault_changed(model: Model, library: Library, unseen: pl.DataFrame) -> None:
    verdicts = identify(unseen, model, library)
    for number, fault in ((129, "bye-slow"), (289, "register-timeouts")):
        words = verdicts.filter(pl.col("minute") == minute(number))["evidence"].item().to_list()
        assert {word.split(" ")[0] for word in words[: len(SIGNATURES[fault])]} == {*SIGNATURES[fault]}
    normal = verdicts.filter(pl.col("condition").is_in(["normal", "warming-up"]))
    assert normal["evidence"].null_count() == len(normal)


def test_the_order_of_rows_does_not_matter(model: Model, library: Library, unseen: pl.DataFrame) -> None:
    both = pl.concat([unseen, minutes("gamma-1", 200, seed=3)])
    shuffled = both.sample(fraction=1, shuffle=True, seed=1)
    assert_frame_equal(identify(shuffled, model, library), identify(both, model, library))
    assert_frame_equal(identify(both, model, library)[:420], identify(unseen, model, library))


def test_later_minutes_change_no_verdict(model: Model, library: Library, unseen: pl.DataFrame) -> None:
    whole, part = (identify(frame, model, library, persistence=3) for frame in (unseen, unseen[:270]))
    assert part["condition"].to_list() == whole["condition"][:270].to_list()


def test_persistence_holds_a_verdict_back(model: Model, library: Library, unseen: pl.DataFrame) -> None:
    def first(persistence: int) -> int:
        verdicts = identify(unseen, model, library, persistence=persistence)
        return (verdicts["condition"] == "bye-slow").arg_max() or 0

    assert first(3) >= first(1) + 2


def test_a_gap_has_no_verdict(model: Model, library: Library) -> None:
    table = minutes("beta-1", 300, seed=2, gaps=range(150, 190))
    verdicts = identify(table, model, library)
    assert len(verdicts) == 260
    after = verdicts.filter(pl.col("minute") >= minute(190))["condition"].to_list()
    assert after[0] == "warming-up" and after[-1] == "normal"  # the window has to fill again


def test_far_from_every_reference_is_unknown(model: Model, library: Library, unseen: pl.DataFrame) -> None:
    verdicts = identify(unseen, model, library, rule=Rule(unknown_radius=1e-6))
    assert set(verdicts["condition"][60:]) == {"unknown"}


def test_a_library_for_another_model_is_refused(library: Library, unseen: pl.DataFrame) -> None:
    with pytest.raises(LibraryError, match="vectors of different models cannot be compared"):
        identify(unseen, random_model(2), library)


def test_minutes_that_do_not_fit_are_refused(model: Model, library: Library, unseen: pl.DataFrame) -> None:
    with pytest.raises((TableError, ModelError), match=r"node\.ser"):
        identify(unseen.drop("node.ser"), model, library)
    with pytest.raises(UsageError, match="has 40 observed minutes, but its baseline needs 60"):
        identify(unseen[:40], model, library)


def test_no_minutes_give_no_verdicts(model: Model, library: Library, unseen: pl.DataFrame) -> None:
    nothing = identify(unseen.clear(), model, library)
    assert len(nothing) == 0
    storage.check_schema(nothing.schema, VERDICTS, "verdicts")


def test_progress_counts_nodes(model: Model, library: Library, unseen: pl.DataFrame) -> None:
    calls: list[tuple[int, int]] = []
    both = pl.concat([unseen, minutes("gamma-1", 100, seed=3)])
    identify(both, model, library, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
    assert np.all(np.diff([done for done, _ in calls]) > 0)
