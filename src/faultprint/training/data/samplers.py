"""Samplers: they draw batches that mix conditions and networks.

If a batch held only one network, batch statistics would normalise this network by itself, which is not possible in operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.errors import UsageError
from faultprint.training.data.dataset import BLOCK_MINUTES, NORMAL_CODE, UNSCORED, TrainingNode, TrainingSet
from faultprint.training.data.window_index import MIN_FAULT_MINUTES, WindowIndex
from faultprint.windows.normalisation import fill_missing
from faultprint.windows.profile import MIN_PROFILE_MINUTES, Profile

CHUNKS_PER_FAULT: Final = 4
CHUNKS_OF_NORMAL: Final = 20
"""Chunks of each fault, and of normal traffic, in one batch of the default network."""
_PROFILE_WINDOWS: Final = (1, 1, 1, 1, 2, 4)
"""Lengths of the interval for a node's profile, in windows. Each entry is equally likely."""
_SHORT_PROFILE_MINUTES: Final = 10
_COLD_START_SHARE: Final = 0.3
_SHORT_PROFILE_SHARE: Final = 0.05
"""Shares of the slots that have no profile of their own, and a profile of only _SHORT_PROFILE_MINUTES."""


class TripletSource(Protocol):
    """An endless source of triplets."""

    def draw(self, size: int) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Anchors, positives and negatives, each (size, W, F)."""


class TripletSampler:
    """Random triplets of three raw windows each, as in the 2017 baseline."""

    def __init__(self, training_set: TrainingSet, rng: np.random.Generator) -> None:
        self.index = WindowIndex(training_set, min_fault_minutes=1)
        self.window = training_set.window
        self.nodes = training_set.nodes
        self.rng = rng
        self.codes_with_pairs = [
            code for code in self.index.codes if sum(map(len, self.index.by_network[code].values())) > 1
        ]
        if not self.codes_with_pairs:
            raise UsageError(
                "A triplet needs two windows of one condition, but no condition has two; label longer intervals."
            )

    @property
    def width(self) -> int:
        """Number of features of a minute, F."""
        return len(self.nodes[0].series.names)

    def draw(self, size: int) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Raw anchors, positives and negatives, each (size, W, F). All conditions are equally likely."""
        rows: list[tuple[Float32Array, Float32Array, Float32Array]] = []
        for _ in range(size):
            code = self.codes_with_pairs[self.rng.integers(len(self.codes_with_pairs))]
            others = [candidate for candidate in self.index.codes if candidate != code]
            other = others[self.rng.integers(len(others))]
            anchor, positive, negative = (
                self.window_at(*self.index.draw(chosen, self.rng)) for chosen in (code, code, other)
            )
            rows.append((anchor, positive, negative))
        anchors, positives, negatives = (np.stack(column) for column in zip(*rows, strict=True))
        return anchors, positives, negatives

    def window_at(self, node: int, end: int) -> Float32Array:
        """(W, F) raw window of a node that ends at minute `end`."""
        return fill_missing(self.nodes[node].series.values[end - self.window + 1 : end + 1])


@dataclass(frozen=True, slots=True)
class ChunkBatch:
    """A batch for the default network: C chunks of L consecutive minutes. In each chunk E windows end.

    inputs          (C, L, I) network input of the minutes
    observed        (C, L) true for observed minutes
    ends            E indices of the minutes at which windows end, the same in every chunk
    code            (C, E) condition code of these windows, -1 for windows that are not used
    fault_minutes   (C, E) their faulty minutes
    slot            (C,) index of the slot (A axis) that holds the baseline of the chunk
    normal_inputs   (A, W, I) network input of a normal hour of every slot
    cold_start      (A,) true for slots that use the population profile, as a node without a baseline does
    """

    inputs: Float32Array
    observed: BoolArray
    ends: range
    code: IntArray
    fault_minutes: IntArray
    slot: IntArray
    normal_inputs: Float32Array
    cold_start: BoolArray


@dataclass(slots=True)
class NodeSlot:
    """A node of the training set with one random choice of its profile.

    node              index of the node
    hour              first minute of the profile interval and of the normal hour
    profile_minutes   length of the profile interval; 0: the population profile is used
    start             first minute of the block that chunks are taken from
    inputs            network input of the block, at most BLOCK_MINUTES
    normal_inputs     network input of the normal hour
    """

    node: int
    hour: int
    profile_minutes: int
    start: int
    inputs: Float32Array
    normal_inputs: Float32Array

    def part(self, start: int, length: int) -> Float32Array:
        """(length, I) network input of the minutes from `start` on."""
        return self.inputs[start - self.start : start - self.start + length]


class ChunkSampler:
    """Draws batches of chunks of all conditions from up to `active` nodes at once.

    A node is normalised by the profile of a random normal hour (sometimes of a longer interval), as in operation. In a part of
    the cases it is normalised by the population profile, as a node without a baseline. Every `refresh_every` batches one slot
    gets a new profile, or another node. Of a node with more than BLOCK_MINUTES, a slot holds one block around a window of a
    random condition.
    """

    def __init__(
        self,
        training_set: TrainingSet,
        population: Profile,
        rng: np.random.Generator,
        *,
        chunks_per_fault: int = CHUNKS_PER_FAULT,
        chunks_of_normal: int = CHUNKS_OF_NORMAL,
        length: int = 84,
        step: int = 4,
        active: int = 12,
        refresh_every: int = 2,
    ) -> None:
        self.training_set, self.population, self.rng = training_set, population, rng
        self.chunks_per_fault, self.chunks_of_normal = chunks_per_fault, chunks_of_normal
        self.refresh_every = refresh_every
        self.length = min(length, min(len(node.series) for node in training_set.nodes))
        self.ends = range(training_set.window - 1, self.length, step)
        self.queue = list(rng.permutation(len(training_set.nodes)))
        self.slots = [self.draw_slot(self._next_node()) for _ in range(min(active, len(training_set.nodes)))]
        self.oldest = 0
        self.drawn = 0
        self.index = WindowIndex(training_set)
        self.codes = self.index.codes
        self.has_long_series = any(len(node.series) > BLOCK_MINUTES for node in training_set.nodes)
        self._limit_index()

    def _next_node(self) -> int:
        """The next node in random order, or -1 if all nodes have a slot."""
        if not self.queue:
            active = {slot.node for slot in self.slots}
            self.queue = [n for n in self.rng.permutation(len(self.training_set.nodes)) if n not in active]
        return int(self.queue.pop()) if self.queue else -1

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint, as JSON. The random generator is saved elsewhere."""
        return {
            "waiting": [int(node) for node in self.queue],
            "slots": [[slot.node, slot.hour, slot.profile_minutes, slot.start] for slot in self.slots],
            "oldest": self.oldest,
            "drawn": self.drawn,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved `state`."""
        self.queue = [int(node) for node in state["waiting"]]
        self.slots = [self._build_slot(*map(int, slot)) for slot in state["slots"]]
        self.oldest, self.drawn = int(state["oldest"]), int(state["drawn"])
        self._limit_index()

    def draw_slot(self, index: int) -> NodeSlot:
        """A slot of this node with a random profile and, if its series is long, a random block."""
        hour = int(self.rng.choice(self.training_set.nodes[index].normal_hours))
        return self._build_slot(
            index, hour, self._draw_profile_minutes(), self._draw_block(self.training_set.nodes[index])
        )

    def _draw_profile_minutes(self) -> int:
        draw = self.rng.random()
        if draw < _COLD_START_SHARE + _SHORT_PROFILE_SHARE:
            return 0 if draw < _COLD_START_SHARE else _SHORT_PROFILE_MINUTES
        return int(self.rng.choice(_PROFILE_WINDOWS)) * self.training_set.window

    def _draw_block(self, node: TrainingNode) -> int:
        """The first minute of a block around a window of a random condition of the node. All conditions are equally likely."""
        length = len(node.series)
        if length <= BLOCK_MINUTES:
            return 0
        usable = (node.code == NORMAL_CODE) | (node.fault_minutes >= MIN_FAULT_MINUTES)
        codes = np.unique(node.code[usable & (node.code != UNSCORED)])
        matches = usable & (node.code == self.rng.choice(codes))
        end = int(self.rng.choice(np.flatnonzero(matches)))
        start = end - int(self.rng.integers(self.training_set.window - 1, BLOCK_MINUTES))
        return int(np.clip(start, 0, length - BLOCK_MINUTES))

    def _build_slot(self, index: int, hour: int, profile_minutes: int, start: int) -> NodeSlot:
        node, kinds, window = self.training_set.nodes[index], self.training_set.kinds, self.training_set.window
        profile = self.population
        if profile_minutes:
            profile = node.profile(hour, hour + profile_minutes, kinds, min(profile_minutes, MIN_PROFILE_MINUTES))
        inputs, normal_inputs = (
            node.inputs(begin, min(begin + length, len(node.series)), kinds, profile, self.population)
            for begin, length in ((start, BLOCK_MINUTES), (hour, window))
        )
        return NodeSlot(index, hour, profile_minutes, start, inputs, normal_inputs)

    def _limit_index(self) -> None:
        """Of long series, make only the windows in the current blocks available."""
        if not self.has_long_series:
            return
        nodes = self.training_set.nodes
        within = {i: range(len(node.series)) for i, node in enumerate(nodes) if len(node.series) <= BLOCK_MINUTES}
        for slot in self.slots:
            within[slot.node] = range(slot.start + self.training_set.window - 1, slot.start + len(slot.inputs))
        self.index = WindowIndex(self.training_set, within=within)

    def __iter__(self) -> Iterator[ChunkBatch]:
        while True:
            yield self.draw()

    def draw(self) -> ChunkBatch:
        """The next batch."""
        self.drawn += 1
        if self.drawn % self.refresh_every == 0:
            self._refresh_slot()
        slot_of_node = {slot.node: i for i, slot in enumerate(self.slots)}
        targets: list[tuple[int, int]] = []
        for condition in self.conditions():
            count = self.chunks_of_normal if condition == NORMAL_CODE else self.chunks_per_fault
            targets += self.targets(condition, count, slot_of_node)
        slots = np.array([slot_of_node[node] for node, _ in targets], dtype=np.int64)
        starts = [self._chunk_start(self.slots[slot_of_node[node]], end) for node, end in targets]
        inputs = np.stack([self.slots[i].part(start, self.length) for i, start in zip(slots, starts, strict=True)])
        chunks = [(self.training_set.nodes[node], start) for (node, _), start in zip(targets, starts, strict=True)]
        observed = np.stack([node.series.observed[start : start + self.length] for node, start in chunks])
        ends = np.array(self.ends)
        code = np.stack([node.code[start + ends] for node, start in chunks]).astype(np.int64)
        fault_minutes = np.stack([node.fault_minutes[start + ends] for node, start in chunks]).astype(np.int64)
        code[(code > NORMAL_CODE) & (fault_minutes < MIN_FAULT_MINUTES)] = UNSCORED
        used, slot = np.unique(slots, return_inverse=True)
        normal_inputs = np.stack([self.slots[i].normal_inputs for i in used])
        cold_start = np.array([not self.slots[i].profile_minutes for i in used])
        return ChunkBatch(inputs, observed, self.ends, code, fault_minutes, slot, normal_inputs, cold_start)

    def conditions(self) -> Sequence[int]:
        """The condition codes in a batch: here all of them."""
        return self.codes

    def _refresh_slot(self) -> None:
        """Give the oldest slot to the next node, or to the same node with a new profile."""
        node = self._next_node()
        oldest = self.oldest % len(self.slots)
        self.oldest += 1
        self.slots[oldest] = self.draw_slot(node if node >= 0 else self.slots[oldest].node)
        self._limit_index()

    def targets(self, code: int, count: int, slot_of_node: Mapping[int, int]) -> list[tuple[int, int]]:
        """(node, last minute) of `count` random windows of a condition, on nodes that have a slot.

        Every node is equally likely, then every window. The list is empty if no node with a slot has such a window.
        """
        candidates = [rows for node, rows in self.index.by_node[code].items() if node in slot_of_node]
        targets: list[tuple[int, int]] = []
        for _ in range(count if candidates else 0):
            rows = candidates[self.rng.integers(len(candidates))]
            node, end = rows[self.rng.integers(len(rows))]
            targets.append((int(node), int(end)))
        return targets

    def _chunk_start(self, slot: NodeSlot, end: int) -> int:
        """First minute of a chunk with a window that ends at `end`, or as near to it as the slot's block allows."""
        start = end - int(self.rng.choice(self.ends))
        return int(np.clip(start, slot.start, slot.start + len(slot.inputs) - self.length))
