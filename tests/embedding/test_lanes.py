"""Many nodes at once: the same bits as each node by itself, whatever gaps and starts they have."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.embedding.model import Model, NodeBaseline
from faultprint.embedding.model_file import ModelArtifact
from faultprint.embedding.short_window import embed_short_windows
from faultprint.embedding.streaming import StepRecord, StreamingEncoder
from faultprint.errors import ModelError
from faultprint.windows.levels import levels
from faultprint.windows.series import Series
from faultprint.windows.trailing import latest, trailing_max, trailing_sum

Traffic = Callable[..., Series]
HOUR = 60
Vectors = list[dict[int, np.ndarray]]


@pytest.fixture(scope="module")
def model(pooled: ModelArtifact) -> Model:
    return Model(pooled)


def gapped(series: Series, gaps: Sequence[int]) -> Series:
    observed, values = series.observed.copy(), series.values.copy()
    gone = [gap for gap in gaps if gap >= HOUR]
    observed[gone], values[gone] = False, np.nan
    return Series(series.node, series.network, 0, series.interval_us, series.names, values, observed)


def whole(model: Model, nodes: Sequence[Series]) -> tuple[list[NodeBaseline], Vectors]:
    """Each node's normal by its first hour, and its vectors after it, by minute."""
    normals, found = [], []
    for node in nodes:
        normal = model.baseline(node.part(0, HOUR))
        embedded = model.embed(node, normal.profile)
        vectors = embedded.vectors - normal.mean
        normals.append(normal)
        found.append({int(at): v for at, v in zip(embedded.last_minute, vectors, strict=True) if at >= HOUR})
    return normals, found


def live(
    model: Model, nodes: Sequence[Series], starts: Sequence[int], normals: Sequence[NodeBaseline], **kind: bool
) -> Vectors:
    """The same through lanes; node i's first minute is number `starts[i]`."""
    lanes = StreamingEncoder(model, **kind)
    lanes.add(len(nodes))
    found: Vectors = [{} for _ in nodes]
    for minute in range(max(start + len(node) for start, node in zip(starts, nodes, strict=True))):
        lanes.advance(minute)
        at = [minute - start for start in starts]
        due = [i for i, node in enumerate(nodes) if HOUR <= at[i] < len(node) and node.observed[at[i]]]
        if due:
            windows, _ = lanes.step(np.array(due), np.array([nodes[i].values[at[i]] for i in due]))
            for i, vector, good in zip(due, windows.vectors, windows.whole, strict=True):
                if good:
                    found[i][at[i]] = vector
        for i, node in enumerate(nodes):
            if at[i] == HOUR - 1:
                part = node.part(0, HOUR)
                shifted = starts[i] * node.interval_us
                recent = Series("", "", shifted, node.interval_us, node.names, part.values, part.observed)
                lanes.teach(i, normals[i], recent)
    return found


@settings(max_examples=8)
@given(st.lists(st.tuples(st.integers(0, 40), st.sets(st.integers(HOUR, 199), max_size=60)), min_size=1, max_size=5))
def test_lanes_give_the_bits_of_each_node_by_itself(
    traffic: Traffic, model: Model, plan: list[tuple[int, set[int]]]
) -> None:
    nodes = [gapped(traffic(200, seed=number), sorted(gaps)) for number, (_, gaps) in enumerate(plan)]
    normals, wanted = whole(model, nodes)
    found = live(model, nodes, [start for start, _ in plan], normals)
    for one, other in zip(wanted, found, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[at], other[at]) for at in one)


def test_compact_lanes_give_nearly_the_same(traffic: Traffic, model: Model) -> None:
    nodes = [traffic(200, seed=1)]
    normals, wanted = whole(model, nodes)
    found = live(model, nodes, [0], normals, compact=True)
    size = np.mean([np.linalg.norm(v) for v in wanted[0].values()])
    apart = [np.linalg.norm(found[0][at] - wanted[0][at]) / size for at in wanted[0]]
    assert 0 < max(apart) < 0.06 and np.median(apart) < 0.03


@pytest.mark.parametrize("compact", [False, True])
def test_restored_lanes_go_on_with_the_same_bits(compact: bool, traffic: Traffic, model: Model) -> None:
    nodes = [traffic(200, seed=seed) for seed in range(3)]
    normals, wanted = whole(model, nodes)
    lanes, kept = StreamingEncoder(model, compact=compact), list[tuple[int, StepRecord]]()
    lanes.add(3)
    every = np.arange(3)
    for minute in range(199):
        lanes.advance(minute)
        if minute == HOUR - 1:
            for i in range(3):
                lanes.teach(i, normals[i], nodes[i].part(0, HOUR))
        if minute >= HOUR:
            kept.append((minute, lanes.step(every, np.array([node.values[minute] for node in nodes]))[1]))
    again = StreamingEncoder(model, compact=compact)
    again.add(3)
    for i in range(3):
        again.teach(i, normals[i])
    again.advance(198)
    for minute, trace in kept:
        again.restore(minute, every, trace.codes, trace.scaled if minute > 198 - 30 else None)
    assert np.array_equal(again.lately(every), lanes.lately(every))
    last = np.array([node.values[199] for node in nodes])
    found = []
    for one in (lanes, again):
        one.advance(199)
        found.append(one.step(every, last)[0])
    assert found[1].whole.all() and np.array_equal(found[0].vectors, found[1].vectors)
    if not compact:
        assert all(np.array_equal(found[1].vectors[i], wanted[i][199]) for i in range(3))


def test_a_compact_lane_is_small_and_room_for_more_is_little(model: Model) -> None:
    lanes = StreamingEncoder(model, compact=True)
    for _ in range(1000):
        lanes.add(1)
    assert lanes.nbytes / 1000 < 1.125 * 13_000


def test_recent_levels_are_those_of_the_series(traffic: Traffic, model: Model) -> None:
    node = gapped(traffic(100, seed=4), range(85, 90))
    normal = model.baseline(node.part(0, HOUR))
    lanes = StreamingEncoder(model)
    lanes.add(2)
    lanes.advance(99)
    lanes.teach(1, normal, node.part(20, 100))
    found, _ = lanes.recent(np.array([1]), 10)
    wanted = levels(node, model.kinds, (10,))
    assert np.array_equal(found.level[:, 0], wanted.level[:, 99])
    assert np.array_equal(found.support[:, 0], wanted.support[:, 99])


@given(st.integers(1, 70), st.integers(0, 9))
def test_the_latest_fold_is_the_last_of_the_trailing_ones(span: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(80, 3)).astype(np.float32)
    newest = values[::-1][:span]
    assert np.array_equal(latest(newest, np.add), trailing_sum(values, span)[-1])
    assert np.array_equal(latest(newest, np.maximum), trailing_max(values, span)[-1])


def test_time_only_goes_forward_and_whole_windows_cannot_be_streamed(model: Model, posts: ModelArtifact) -> None:
    lanes = StreamingEncoder(model)
    lanes.advance(5)
    with pytest.raises(ValueError, match="does not come after"):
        lanes.advance(5)
    with pytest.raises(ModelError, match="reads whole windows"):
        StreamingEncoder(Model(posts))


def test_the_last_minutes_of_lanes_are_those_of_their_series(
    pooled: ModelArtifact, traffic: Callable[..., Series]
) -> None:
    model, lanes = Model(pooled), StreamingEncoder(Model(pooled))
    every = [traffic(90, 1), traffic(90, 2, gap=slice(86, 88)), traffic(90, 3, gap=slice(84, 88))]
    lanes.add(len(every))
    lanes.advance(89)
    for lane, series in enumerate(every):
        normal = model.baseline(series.part(0, 60))
        lanes.teach(lane, normal, series)
        assert normal.short_mean is not None
        expected = embed_short_windows(model, series, normal.profile, np.array([89])) - normal.short_mean
        np.testing.assert_allclose(lanes.lately(np.array([lane])), expected, atol=1e-5)
    together = lanes.lately(np.array([0, 1, 2]))
    assert np.isnan(together).any(axis=1).tolist() == [False, False, True]
