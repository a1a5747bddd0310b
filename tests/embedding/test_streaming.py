"""Streaming many nodes gives the same bits as embedding each node, with any gaps and starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.embedding.model import Model, NodeBaseline
from faultprint.embedding.model_file import ModelArtifact
from faultprint.embedding.streaming import StepRecord, StreamingEncoder
from faultprint.errors import ModelError
from faultprint.windows.levels import compute_levels
from faultprint.windows.series import Series
from faultprint.windows.trailing import reduce_window, trailing_max, trailing_sum

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
    """Each node's baseline from its first hour, and its later vectors, by minute."""
    baselines, result = [], []
    for node in nodes:
        baseline = model.baseline(node.slice(0, HOUR))
        embedded = model.embed(node, baseline.profile)
        vectors = embedded.vectors - baseline.mean
        baselines.append(baseline)
        result.append({int(at): v for at, v in zip(embedded.last_minute, vectors, strict=True) if at >= HOUR})
    return baselines, result


def live(
    model: Model, nodes: Sequence[Series], starts: Sequence[int], baselines: Sequence[NodeBaseline], **kind: bool
) -> Vectors:
    """The same by streaming. The first minute of node i is number `starts[i]`."""
    streaming = StreamingEncoder(model, **kind)
    streaming.add_slots(len(nodes))
    result: Vectors = [{} for _ in nodes]
    for minute in range(max(start + len(node) for start, node in zip(starts, nodes, strict=True))):
        streaming.advance(minute)
        at = [minute - start for start in starts]
        due = [i for i, node in enumerate(nodes) if HOUR <= at[i] < len(node) and node.observed[at[i]]]
        if due:
            windows, _ = streaming.step(np.array(due), np.array([nodes[i].values[at[i]] for i in due]))
            for i, vector, good in zip(due, windows.vectors, windows.whole, strict=True):
                if good:
                    result[i][at[i]] = vector
        for i, node in enumerate(nodes):
            if at[i] == HOUR - 1:
                part = node.slice(0, HOUR)
                shifted = starts[i] * node.interval_us
                recent = Series("", "", shifted, node.interval_us, node.names, part.values, part.observed)
                streaming.set_baseline(i, baselines[i], recent)
    return result


@settings(max_examples=8)
@given(st.lists(st.tuples(st.integers(0, 40), st.sets(st.integers(HOUR, 199), max_size=60)), min_size=1, max_size=5))
def test_streaming_gives_the_same_bits_as_embedding_each_node(
    traffic: Traffic, model: Model, plan: list[tuple[int, set[int]]]
) -> None:
    nodes = [gapped(traffic(200, seed=number), sorted(gaps)) for number, (_, gaps) in enumerate(plan)]
    baselines, wanted = whole(model, nodes)
    result = live(model, nodes, [start for start, _ in plan], baselines)
    for expected, streamed in zip(wanted, result, strict=True):
        assert expected.keys() == streamed.keys()
        assert all(np.array_equal(expected[minute], streamed[minute]) for minute in expected)


def test_quantized_buffers_give_nearly_the_same_vectors(traffic: Traffic, model: Model) -> None:
    nodes = [traffic(200, seed=1)]
    baselines, wanted = whole(model, nodes)
    result = live(model, nodes, [0], baselines, quantized=True)
    size = np.mean([np.linalg.norm(v) for v in wanted[0].values()])
    apart = [np.linalg.norm(result[0][at] - wanted[0][at]) / size for at in wanted[0]]
    assert 0 < max(apart) < 0.06 and np.median(apart) < 0.03


@pytest.mark.parametrize("quantized", [False, True])
def test_a_restored_encoder_continues_with_the_same_bits(quantized: bool, traffic: Traffic, model: Model) -> None:
    nodes = [traffic(200, seed=seed) for seed in range(3)]
    baselines, wanted = whole(model, nodes)
    streaming, records = StreamingEncoder(model, quantized=quantized), list[tuple[int, StepRecord]]()
    streaming.add_slots(3)
    slots = np.arange(3)
    for minute in range(199):
        streaming.advance(minute)
        if minute == HOUR - 1:
            for i in range(3):
                streaming.set_baseline(i, baselines[i], nodes[i].slice(0, HOUR))
        if minute >= HOUR:
            records.append((minute, streaming.step(slots, np.array([node.values[minute] for node in nodes]))[1]))
    again = StreamingEncoder(model, quantized=quantized)
    again.add_slots(3)
    for i in range(3):
        again.set_baseline(i, baselines[i])
    again.advance(198)
    for minute, record in records:
        again.restore(minute, slots, record.codes, record.values if minute > 198 - 30 else None)
    assert np.array_equal(again.short_embeddings(slots), streaming.short_embeddings(slots))
    last = np.array([node.values[199] for node in nodes])
    result = []
    for encoder in (streaming, again):
        encoder.advance(199)
        result.append(encoder.step(slots, last)[0])
    assert result[1].whole.all() and np.array_equal(result[0].vectors, result[1].vectors)
    if not quantized:
        assert all(np.array_equal(result[1].vectors[i], wanted[i][199]) for i in range(3))


def test_a_quantized_slot_is_small_and_growth_wastes_little(model: Model) -> None:
    streaming = StreamingEncoder(model, quantized=True)
    for _ in range(1000):
        streaming.add_slots(1)
    assert streaming.nbytes / 1000 < 1.125 * 13_000


def test_recent_levels_equal_those_of_the_series(traffic: Traffic, model: Model) -> None:
    node = gapped(traffic(100, seed=4), range(85, 90))
    baseline = model.baseline(node.slice(0, HOUR))
    streaming = StreamingEncoder(model)
    streaming.add_slots(2)
    streaming.advance(99)
    streaming.set_baseline(1, baseline, node.slice(20, 100))
    result, _ = streaming.recent_levels(np.array([1]), 10)
    wanted = compute_levels(node, model.kinds, (10,))
    assert np.array_equal(result.level[:, 0], wanted.level[:, 99])
    assert np.array_equal(result.event_count[:, 0], wanted.event_count[:, 99])


@given(st.integers(1, 70), st.integers(0, 9))
def test_a_reduced_window_equals_the_last_trailing_value(span: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(80, 3)).astype(np.float32)
    newest = values[::-1][:span]
    assert np.array_equal(reduce_window(newest, np.add), trailing_sum(values, span)[-1])
    assert np.array_equal(reduce_window(newest, np.maximum), trailing_max(values, span)[-1])


def test_time_only_goes_forward_and_a_recurrent_model_cannot_stream(model: Model, recurrent: ModelArtifact) -> None:
    streaming = StreamingEncoder(model)
    streaming.advance(5)
    with pytest.raises(ValueError, match="does not come after"):
        streaming.advance(5)
    with pytest.raises(ModelError, match="reads whole windows"):
        StreamingEncoder(Model(recurrent))


def test_short_embeddings_equal_those_of_the_series(pooled: ModelArtifact, traffic: Callable[..., Series]) -> None:
    model, streaming = Model(pooled), StreamingEncoder(Model(pooled))
    nodes = [traffic(90, 1), traffic(90, 2, gap=slice(86, 88)), traffic(90, 3, gap=slice(84, 88))]
    streaming.add_slots(len(nodes))
    streaming.advance(89)
    for slot, series in enumerate(nodes):
        baseline = model.baseline(series.slice(0, 60))
        streaming.set_baseline(slot, baseline, series)
        assert baseline.short_mean is not None
        expected = model.embed_short_windows(series, baseline.profile, np.array([89])) - baseline.short_mean
        np.testing.assert_allclose(streaming.short_embeddings(np.array([slot])), expected, atol=1e-5)
    together = streaming.short_embeddings(np.array([0, 1, 2]))
    assert np.isnan(together).any(axis=1).tolist() == [False, False, True]
