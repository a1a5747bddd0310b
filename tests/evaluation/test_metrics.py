"""The figures of timelines drawn by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from faultprint.evaluation.metrics import Figures, figures, nearest_rank
from faultprint.storage import schema
from faultprint.tables import LABELS

START = datetime(2026, 1, 5, tzinfo=UTC)
LETTERS = {"n": "normal", "a": "fault-a", "b": "fault-b", "?": "unknown", "w": "warming-up", ".": None}


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def timeline(truth: str, verdict: str, exposed: int = 60, node: str = "p1", over: str = "") -> pl.DataFrame:
    """`over` marks minutes in which the fault of the verdict is no longer active."""
    assert len(truth) == len(verdict)
    over = over or "." * len(truth)
    return pl.DataFrame(
        {
            "node": [node] * len(truth),
            "minute": [minute(index) for index in range(len(truth))],
            "truth": [LETTERS[letter] for letter in truth],
            "exposed": [0 if letter in "n." else exposed for letter in truth],
            "verdict": [LETTERS[letter] for letter in verdict],
            "ongoing": [letter in "ab?" and mark == "." for letter, mark in zip(verdict, over, strict=True)],
        },
        schema_overrides={"minute": pl.Datetime("us", "UTC"), "truth": pl.String},
    )


def labels(*rows: tuple[float, float, str], node: str = "p1") -> pl.DataFrame:
    return pl.DataFrame(
        [(node, minute(start), minute(end), condition, None) for start, end, condition in rows],
        schema=schema(LABELS),
        orient="row",
    )


def figures_of(frame: pl.DataFrame, known: pl.DataFrame, window: int = 3) -> Figures:
    return figures(frame, known, interval_us=60_000_000, window=window)


def test_a_perfect_system() -> None:
    #     fault-a from minute 4 up to 7; windows of three minutes show it until minute 8
    found = figures_of(timeline("nnnnaaaaannn", "nnnnaaaaannn"), labels((4, 7, "fault-a")))
    assert found.macro_f1 == 1 and found.macro_f1_exposed == 1
    assert found.false_alarms == 0 and found.false_alarms_per_day == 0
    assert (found.episodes, found.episodes_found) == (1, 1)
    assert found.delay_median_minutes == 1  # the verdict on minute 4 is given at its end
    assert found.clearing_median_minutes == 3  # the first normal verdict is given at the end of minute 9
    assert found.confusion == {"normal": {"normal": 7}, "fault-a": {"fault-a": 5}}


def test_f1_counts_windows_and_does_not_adjust_points() -> None:
    found = figures_of(timeline("nnnnaaaa", "nnnanaaa"), labels((4, 8, "fault-a")))
    assert found.macro_f1 == pytest.approx(0.75)  # each class: 3 right, 1 missed, 1 too many
    assert found.macro_f1_exposed == pytest.approx(0.75)


def test_clear_windows_leave_out_those_with_few_faulty_minutes() -> None:
    frame = pl.concat([timeline("nnaa", "nnnn", exposed=9), timeline("naa", "naa", exposed=10, node="p2")])
    found = figures_of(frame, pl.concat([labels((2, 4, "fault-a")), labels((1, 3, "fault-a"), node="p2")]))
    assert found.macro_f1_exposed == 1
    assert found.macro_f1 == pytest.approx((2 * 3 / (3 + 5) + 2 * 2 / (4 + 2)) / 2)
    assert (found.windows, found.windows_exposed) == (7, 5)


def test_classes_are_those_of_the_truth_and_normal() -> None:
    found = figures_of(timeline("nnnn", "nnb?"), labels())
    assert [row.condition for row in found.conditions] == ["normal"]
    assert found.macro_f1 == pytest.approx(2 * 2 / (4 + 2))
    only_fault = figures_of(timeline("aa", "aa"), labels((0, 2, "fault-a")))
    assert [row.f1 for row in only_fault.conditions] == [0, 1]  # normal counts, though it does not occur


@pytest.mark.parametrize(
    ("truth", "verdict", "alarms"),
    [
        ("nnnnnnnn", "nnaaannn", 1),  # a run is one incident
        ("nnnnnnnn", "nanannnn", 2),
        ("nnnnnnnn", "nnaabbnn", 2),  # another name is another incident
        ("nnnnnnnn", "nn??nnnn", 1),  # unknown is an alarm
        ("nnnnnnnn", "wwnnnnnn", 0),  # warming up is not
        ("aaannnnn", "aaaaannn", 0),  # begun while the fault was there: late to clear, not a new incident
        ("...nnnnn", "aaaaannn", 0),  # begun where the truth is not known
        ("nnnnnnnn", "aannnnnn", 1),  # from the start
    ],
)
def test_false_alarms_are_incidents(truth: str, verdict: str, alarms: int) -> None:
    found = figures_of(timeline(truth, verdict), labels())
    assert found.false_alarms == alarms
    normal = truth.count("n") / 1440
    assert found.normal_days == pytest.approx(normal)
    assert found.false_alarms_per_day == pytest.approx(alarms / normal)


def test_a_gap_separates_two_incidents() -> None:
    frame = timeline("nnnnnn", "naaaan").filter(pl.col("minute") != minute(2))
    assert figures_of(frame, labels()).false_alarms == 2


def test_an_episode_is_found_by_its_own_name_only() -> None:
    known = labels((2, 4, "fault-a"))
    missed = figures_of(timeline("nnaaaannn", "nnbbb?nna"), known).outcomes[0]
    assert (missed.found, missed.delay_minutes, missed.main_verdict) == (False, None, "fault-b")
    late = figures_of(timeline("nnaaaannn", "nnnnnannn"), known).outcomes[0]
    assert (late.found, late.delay_minutes, late.clearing_minutes) == (True, 4, 3)
    too_late = figures_of(timeline("nnaaaannn", "nnnnnnann"), known).outcomes[0]
    assert not too_late.found


def test_an_onset_within_a_minute_counts_from_the_onset() -> None:
    found = figures_of(timeline("nnaaaann", "nnaaaann"), labels((2.5, 4, "fault-a")))
    assert found.outcomes[0].delay_minutes == 0.5


def test_the_next_episode_ends_the_last() -> None:
    known = labels((2, 4, "fault-a"), (5, 7, "fault-b"))
    found = figures_of(timeline("nnaaabbbb", "nnnnnabbb"), known)
    assert [episode.found for episode in found.outcomes] == [False, True]
    assert found.outcomes[1].delay_minutes == 2


def test_episodes_without_a_scored_window_do_not_count() -> None:
    found = figures_of(timeline("....nnnn", "nnnnnnnn"), labels((0, 2, "fault-a")))
    assert found.episodes == 0 and found.episodes_found is None
    elsewhere = figures_of(timeline("nnnn", "nnnn"), labels((0, 2, "fault-a"), node="p9"))
    assert elsewhere.episodes == 0


def test_an_episode_never_cleared_has_no_clearing_time() -> None:
    found = figures_of(timeline("nnaaaann", "nnaaaaaa"), labels((2, 4, "fault-a")))
    assert found.outcomes[0].clearing_minutes is None and found.clearing_median_minutes is None


def test_unscored_windows_only_continue_a_run() -> None:
    found = figures_of(timeline("nn..nn", "nnbbnn"), labels())
    assert found.windows == 4 and found.macro_f1 == 1 and found.false_alarms == 0


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([3], 0.9, 3), ([1, 2, 3, 4], 0.5, 2), (list(range(1, 11)), 0.9, 9), ([5, 1], 0.0, 1)],
)
def test_nearest_rank(values: list[float], share: float, expected: float | None) -> None:
    assert nearest_rank(values, share) == expected


def test_a_fault_is_cleared_once_it_is_not_active_whatever_the_window_holds() -> None:
    known = labels((0, 2, "normal"), (2, 5, "fault-a"), (5, 20, "normal"))
    frame = timeline("nnaaaaaannnn", "nnnaaaaaaann", over="......xxxx..")
    found = figures_of(frame, known, window=4)
    assert found.clearing_median_minutes == 2 and found.lost_early == 0
    assert figures_of(timeline("nnaaaaaannnn", "nnnaaaaaaann"), known, window=4).clearing_median_minutes == 6
    early = figures_of(timeline("nnaaaaaannnn", "nnnaaaaaaann", over="....x.xxxx.."), known, window=4)
    assert early.lost_early == 1 and early.clearing_median_minutes == 2
    assert early.macro_f1 == found.macro_f1
