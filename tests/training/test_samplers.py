"""Batches mix conditions and networks, and have the labels of their windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from faultprint.errors import UsageError
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.data.samplers import ChunkSampler, TripletSampler
from faultprint.training.data.window_index import MIN_FAULT_MINUTES, WindowIndex
from faultprint.windows.profile import population_profile


def sampler(material: TrainingSet, seed: int = 1) -> ChunkSampler:
    people = population_profile([node.full_profile for node in material.nodes], material.kinds)
    return ChunkSampler(material, people, np.random.default_rng(seed))


def test_the_index_has_every_window_with_enough_fault_minutes(small: TrainingSet) -> None:
    places = WindowIndex(small)
    for code in range(len(small.conditions)):
        for network, rows in places.by_network[code].items():
            for index, end in rows:
                node = small.nodes[index]
                assert node.series.network == network
                assert node.code[end] == code
                assert code == 0 or node.fault_minutes[end] >= MIN_FAULT_MINUTES
    total = sum(len(rows) for found in places.by_network for rows in found.values())
    expected = sum(
        int(((n.code == 0) | ((n.code > 0) & (n.fault_minutes >= MIN_FAULT_MINUTES))).sum()) for n in small.nodes
    )
    assert total == expected


def test_triplets_are_two_of_one_condition_and_one_of_another(small: TrainingSet) -> None:
    anchors, positives, negatives = TripletSampler(small, np.random.default_rng(1)).draw(20)
    assert anchors.shape == positives.shape == negatives.shape == (20, 60, 132)
    assert np.isfinite(anchors).all()
    index = [small.catalogue.index(f"{o}.server_error_share") for o in ("in.bye", "out.invite", "in.other")]
    slow = small.catalogue.index("in.bye.delay_median")

    def kind(window: np.ndarray) -> str:
        if window[:, index].max() > 0.3:
            return "errors"
        return "slow" if window[:, slow].max() > 3 * np.median(window[:, slow]) else "other"

    clear = [(kind(a), kind(p), kind(n)) for a, p, n in zip(anchors, positives, negatives, strict=True)]
    assert all(a == p for a, p, _ in clear if a == "errors")
    assert all(n != "errors" for a, _, n in clear if a == "errors")
    assert any(a == "errors" for a, _, _ in clear)


def test_chunks_mix_conditions_and_networks_with_correct_labels(small: TrainingSet) -> None:
    draws = sampler(small)
    for _ in range(3):
        batch = draws.draw()
        chunks, length, width = batch.inputs.shape
        assert length == draws.length
        assert width == 132 * 3 * 2
        assert batch.code.shape == batch.fault_minutes.shape == (chunks, len(batch.ends))
        assert len(np.unique(batch.slot)) > 2
        assert {0, 1, 2} <= set(np.unique(batch.code).tolist())
        assert (batch.fault_minutes[batch.code > 0] >= MIN_FAULT_MINUTES).all()
        assert batch.normal_inputs.shape == (len(draws.slots), 60, width)
        for chunk, slot in enumerate(batch.slot):
            held = draws.slots[slot]
            node = small.nodes[held.node]
            found = [
                b
                for b in range(len(node.series) - length + 1)
                if np.array_equal(held.inputs[b : b + length], batch.inputs[chunk])
            ]
            assert len(found) == 1
            used = batch.code[chunk] >= 0
            assert np.array_equal(node.code[found[0] + np.array(batch.ends)][used], batch.code[chunk][used])


def test_profiles_are_refreshed(small: TrainingSet) -> None:
    draws = sampler(small)
    before = [slot.inputs for slot in draws.slots]
    for _ in range(2 * len(draws.slots)):
        draws.draw()
    assert all(slot.inputs is not old for slot, old in zip(draws.slots, before, strict=True))


def test_three_in_ten_slots_are_a_cold_start(small: TrainingSet) -> None:
    draws = sampler(small)
    seen = [draws.draw_slot(0) for _ in range(200)]
    assert 0.2 < np.mean([slot.profile_minutes == 0 for slot in seen]) < 0.4
    assert {slot.profile_minutes for slot in seen} == {0, 10, 60, 120, 240}


def test_a_cold_start_has_the_population_profile(small: TrainingSet) -> None:
    draws = sampler(small)
    for _ in range(10):
        batch = draws.draw()
        for slot, strange in zip(draws.slots, batch.cold_start, strict=True):
            node = small.nodes[slot.node]
            plain = node.inputs(slot.hour, slot.hour + 60, small.kinds, draws.population, draws.population)
            assert np.array_equal(slot.normal_inputs, plain) == strange == (slot.profile_minutes == 0)


def test_the_same_seed_draws_the_same(small: TrainingSet) -> None:
    first, second, other = (sampler(small, seed).draw() for seed in (1, 1, 2))
    assert np.array_equal(first.inputs, second.inputs)
    assert not np.array_equal(first.inputs, other.inputs)


def test_a_hundred_nodes_take_turns(small: TrainingSet) -> None:
    many = replace(small, nodes=small.nodes * 4)
    people = population_profile([node.full_profile for node in small.nodes], small.kinds)
    draws = ChunkSampler(many, people, np.random.default_rng(1), active=6)
    met: set[int] = set()
    for _ in range(40):
        draws.draw()
        met |= {slot.node for slot in draws.slots}
        assert len({slot.node for slot in draws.slots}) == 6
    assert met == set(range(20))


def test_one_condition_is_not_enough(small: TrainingSet) -> None:
    nodes = tuple(replace(node, code=np.zeros_like(node.code)) for node in small.nodes)
    with pytest.raises(UsageError, match="Training needs windows of two conditions"):
        WindowIndex(replace(small, nodes=nodes))
