"""The classifier of one minute after the other: the verdicts of the stream, and faults learned on the way."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from tests.synthetic import minute, minutes, random_model

import faultprint as fp
from faultprint.embedding.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model()


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return minutes("north-1", 200, [(90, 110, "register-timeouts"), (130, 190, "invite-errors")], gaps=[115, 116])


def _library(model: Model, frame: pl.DataFrame) -> fp.Library:
    library = fp.open_library(":memory:", create=True)
    library.add([fp.enrol(frame, model, condition="register-timeouts", interval=(minute(90), minute(110)))])
    return library


def test_the_verdicts_are_those_of_the_stream_also_with_mixed_nodes(frame: pl.DataFrame, model: Model) -> None:
    other = frame.with_columns(node=pl.lit("south-1"), network=pl.lit("south"))
    both = pl.concat([frame, other]).sort("minute", "node", descending=[False, True])
    with _library(model, frame) as library:
        online, stream = fp.OnlineClassifier(model, library), fp.Stream(model, library)
    wanted = stream.push(both).sort("minute", "node", descending=[False, True])["condition"].to_list()
    found = [online.predict_one(x) for x in both.iter_rows(named=True)]
    assert found == wanted
    assert "register-timeouts" in found


def test_a_fault_is_learned_and_then_named_on_another_node(frame: pl.DataFrame, model: Model) -> None:
    with _library(model, frame) as library:
        online, ignorant = (fp.OnlineClassifier(model, library, confirm_minutes=1) for _ in range(2))
    for number, x in enumerate(frame.iter_rows(named=True)):
        online.predict_one(x)
        online.learn_one(x, "invite-errors" if 130 <= number + 2 < 190 else "normal")
    later = minutes("east-1", 140, [(75, 140, "invite-errors")], seed=7)
    taught = [online.predict_one(x) for x in later.iter_rows(named=True)]
    untaught = [ignorant.predict_one(x) for x in later.iter_rows(named=True)]
    assert taught[-1] == "invite-errors"
    assert "invite-errors" not in untaught


def test_nine_minutes_teach_nothing(frame: pl.DataFrame, model: Model) -> None:
    with _library(model, frame) as library:
        online, ignorant = (fp.OnlineClassifier(model, library) for _ in range(2))
    for number, x in enumerate(frame.iter_rows(named=True)):
        online.learn_one(x, "invite-errors" if number % 10 else "normal")
        assert online.predict_one(x) == ignorant.predict_one(x)


X = {"node": "a", "minute": "2026-01-05T09:00", "node.ser": 0.9}


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (None, "x is None"),
        ([1], "must be a dict"),
        ({"node": "a"}, "must be a dict with node, minute"),
        (X | {"node": 5}, "node of x is 5"),
        (X | {"minute": 5}, "minute of x is 5"),
        (X | {"minute": "noon"}, "'noon' is no time"),
        (X | {"minute": "2026-01-05T09:01", "node.ser": "much"}, "node.ser of x is 'much'"),
        (X | {"minute": "2026-01-05T09:01", "observed": "all"}, "observed of x is 'all'"),
        ({"node": "a", "minute": "2026-01-05T09:01"}, "x has no feature of the model"),
        (X | {"minute": "2026-01-05T08:00"}, "not later than the last one"),
    ],
)
def test_wrong_minutes_are_one_sentence_and_change_nothing(
    x: Any, sentence: str, frame: pl.DataFrame, model: Model
) -> None:
    with _library(model, frame) as library:
        online = fp.OnlineClassifier(model, library)
    assert online.predict_one(X) == online.predict_one(X) == "warming-up"
    for call in (online.predict_one, lambda x: online.learn_one(x, "normal")):
        with pytest.raises(fp.FaultprintError, match=sentence):
            call(x)
    assert online.predict_one(X | {"minute": "2026-01-05T09:01", "observed": 0.4}) is None
    assert online.predict_one(X | {"minute": "2026-01-05T09:02", "node.ser": float("nan")}) == "warming-up"


def test_wrong_labels_are_one_sentence(frame: pl.DataFrame, model: Model) -> None:
    with _library(model, frame) as library:
        online = fp.OnlineClassifier(model, library)
    for y in (5, None, "", "unknown"):
        with pytest.raises(fp.FaultprintError):
            online.learn_one(X, y)  # type: ignore[arg-type]
    online.learn_one(X, "normal")
    with pytest.raises(fp.UsageError, match="was learned before"):
        online.learn_one(X, "normal")
