"""How batches are drawn: mixed over conditions and networks, always.

A generator that feeds one network at a time lets batch statistics act as a hidden normalisation per network; here every
batch mixes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.errors import UsageError
from faultprint.training.data.dataset import NORMAL_CODE, STRETCH, UNSCORED, TrainingNode, TrainingSet
from faultprint.training.data.window_index import LEAST_EXPOSED, WindowIndex
from faultprint.windows.normalise import raw
from faultprint.windows.profile import LEAST_MINUTES, Profile

PER_FAULT: Final = 4
OF_NORMAL: Final = 20
"""Chunks of each fault, and of normal, in a batch for the default network."""
_KNOWN: Final = (1, 1, 1, 1, 2, 4)
"""Hours of its normal traffic by which a node in use is known, each as likely."""
_BARELY: Final = 10
_KNOWN_LESS: Final = (0.3, 0.05)
"""Shares of the draws in which nothing is known of it, and no more than _BARELY minutes."""


class Draws(Protocol):
    """Triplets, endlessly."""

    def draw(self, size: int) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Anchors, positives and negatives, (size, W, F) each."""


class Triplets:
    """The posts' way: random triplets, three windows each, endlessly."""

    def __init__(self, material: TrainingSet, rng: np.random.Generator) -> None:
        self.places = WindowIndex(material, least_exposed=1)
        self.window = material.window
        self.nodes = material.nodes
        self.rng = rng
        self.rich = [c for c in self.places.codes if sum(map(len, self.places.places[c].values())) > 1]
        if not self.rich:
            raise UsageError("No condition has two windows, so no triplet can be formed; label longer stretches.")

    @property
    def width(self) -> int:
        """F, the length of a minute."""
        return len(self.nodes[0].series.names)

    def draw(self, size: int) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Anchors, positives and negatives, (size, W, F) raw each. Conditions are as likely as one another."""
        rows: list[tuple[Float32Array, Float32Array, Float32Array]] = []
        for _ in range(size):
            code = self.rich[self.rng.integers(len(self.rich))]
            others = [c for c in self.places.codes if c != code]
            other = others[self.rng.integers(len(others))]
            anchor, positive, negative = (self.window_at(*self.places.draw(c, self.rng)) for c in (code, code, other))
            rows.append((anchor, positive, negative))
        anchors, positives, negatives = (np.stack(column) for column in zip(*rows, strict=True))
        return anchors, positives, negatives

    def window_at(self, node: int, end: int) -> Float32Array:
        """(W, F) the raw window of the node that ends at minute `end`."""
        return raw(self.nodes[node].series.values[end - self.window + 1 : end + 1])


@dataclass(frozen=True, slots=True)
class ChunkBatch:
    """A batch for the default network: stretches of minutes, each of which several windows end in.

    `inputs` (C, L, I); `observed` (C, L); windows end at the minutes `ends` (E of them) of every chunk and bear `code` (C, E)
    (-1: not used) with `exposed` (C, E) faulty minutes; `slot` (C,) says whose normal a chunk is compared with: `hours`
    (A, W, I) are stretches of normal traffic, one a slot that is used, all of their minutes observed. Slots of `strangers` (A,) are
    under the population's profile, and what is normal there is not to be taken as known.
    """

    inputs: Float32Array
    observed: BoolArray
    ends: range
    code: IntArray
    exposed: IntArray
    slot: IntArray
    hours: Float32Array
    strangers: BoolArray


@dataclass(slots=True)
class _Slot:
    """A node as it stands under one draw of its profile: of `known` minutes from minute `hour` on, as far as they are normal;
    of none, the population's.

    `inputs` are of the minutes from `start` on, at most STRETCH, `normal` those of the hour.
    """

    node: int
    hour: int
    known: int
    start: int
    inputs: Float32Array
    normal: Float32Array

    def part(self, start: int, length: int) -> Float32Array:
        """(length, I) inputs of the node's minutes from `start` on."""
        return self.inputs[start - self.start : start - self.start + length]


class ChunkSampler:
    """P chunks of each of the K conditions, over up to `active` nodes at once.

    A node in use is normalised by a profile of a random hour of its normal traffic (sometimes longer), as it will be at work, or
    by the population's, for it may be met before much is known of it; every `refresh_every` batches one draws a new profile, or
    gives its place to another node. A history longer than STRETCH takes part with a stretch of it at a time, around a window of a
    condition drawn as evenly as its conditions allow.
    """

    def __init__(
        self,
        material: TrainingSet,
        people: Profile,
        rng: np.random.Generator,
        *,
        per_fault: int = PER_FAULT,
        of_normal: int = OF_NORMAL,
        length: int = 84,
        step: int = 4,
        active: int = 12,
        refresh_every: int = 2,
    ) -> None:
        self.material, self.people, self.rng = material, people, rng
        self.per_fault, self.of_normal, self.refresh_every = per_fault, of_normal, refresh_every
        self.length = min(length, min(len(node.series) for node in material.nodes))
        first = material.window - 1
        self.ends = range(first, self.length, step)
        self.waiting = list(rng.permutation(len(material.nodes)))
        self.slots = [self._slot(self._next()) for _ in range(min(active, len(material.nodes)))]
        self.oldest = 0
        self.drawn = 0
        self.places = WindowIndex(material)
        self.codes = self.places.codes
        self.long = any(len(node.series) > STRETCH for node in material.nodes)
        self._narrow()

    def _next(self) -> int:
        if not self.waiting:
            held = {slot.node for slot in self.slots}
            self.waiting = [n for n in self.rng.permutation(len(self.material.nodes)) if n not in held]
        return int(self.waiting.pop()) if self.waiting else -1

    def state(self) -> dict[str, Any]:
        """For JSON: what was drawn and is still in use; `restore` goes on from it, given the generator's own state as well."""
        return {
            "waiting": [int(node) for node in self.waiting],
            "slots": [[slot.node, slot.hour, slot.known, slot.start] for slot in self.slots],
            "oldest": self.oldest,
            "drawn": self.drawn,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Stand where `state` was taken."""
        self.waiting = [int(node) for node in state["waiting"]]
        self.slots = [self._fill(*map(int, slot)) for slot in state["slots"]]
        self.oldest, self.drawn = int(state["oldest"]), int(state["drawn"])
        self._narrow()

    def _slot(self, index: int) -> _Slot:
        """The node under a profile of a stretch of its normal traffic, or of none."""
        hour = int(self.rng.choice(self.material.nodes[index].hours))
        return self._fill(index, hour, self._known(), self._stretch(self.material.nodes[index]))

    def _known(self) -> int:
        """Minutes of a node's normal traffic that are known."""
        luck, (nothing, barely) = self.rng.random(), _KNOWN_LESS
        if luck < nothing + barely:
            return 0 if luck < nothing else _BARELY
        return int(self.rng.choice(_KNOWN)) * self.material.window

    def _stretch(self, node: TrainingNode) -> int:
        """The first minute of the stretch that takes part: around a window of one of its conditions, each as likely."""
        length = len(node.series)
        if length <= STRETCH:
            return 0
        usable = (node.code == NORMAL_CODE) | (node.exposed >= LEAST_EXPOSED)
        codes = np.unique(node.code[usable & (node.code != UNSCORED)])
        here = usable & (node.code == self.rng.choice(codes))
        end = int(self.rng.choice(np.flatnonzero(here)))
        start = end - int(self.rng.integers(self.material.window - 1, STRETCH))
        return int(np.clip(start, 0, length - STRETCH))

    def _fill(self, index: int, hour: int, known: int, start: int) -> _Slot:
        node, kinds, window = self.material.nodes[index], self.material.kinds, self.material.window
        own = node.profile(hour, hour + known, kinds, min(known, LEAST_MINUTES)) if known else self.people
        inputs, normal = (
            node.inputs(begin, min(begin + length, len(node.series)), kinds, own, self.people)
            for begin, length in ((start, STRETCH), (hour, window))
        )
        return _Slot(index, hour, known, start, inputs, normal)

    def _narrow(self) -> None:
        """Of long histories only the windows within the stretches that take part can be drawn."""
        if not self.long:
            return
        within = {
            i: range(len(node.series)) for i, node in enumerate(self.material.nodes) if len(node.series) <= STRETCH
        }
        for slot in self.slots:
            within[slot.node] = range(slot.start + self.material.window - 1, slot.start + len(slot.inputs))
        self.places = WindowIndex(self.material, within=within)

    def __iter__(self) -> Iterator[ChunkBatch]:
        while True:
            yield self.draw()

    def draw(self) -> ChunkBatch:
        """The next batch."""
        self.drawn += 1
        if self.drawn % self.refresh_every == 0:
            self._renew()
        places = {slot.node: i for i, slot in enumerate(self.slots)}
        targets: list[tuple[int, int]] = []
        for condition in self.conditions():
            wanted = self.of_normal if condition == NORMAL_CODE else self.per_fault
            targets += self.targets(condition, wanted, places)
        order = np.array([places[node] for node, _ in targets], dtype=np.int64)
        starts = [self._start(self.slots[places[node]], end) for node, end in targets]
        inputs = np.stack([self.slots[s].part(b, self.length) for s, b in zip(order, starts, strict=True)])
        nodes = [self.material.nodes[node] for node, _ in targets]
        observed = np.stack([n.series.observed[b : b + self.length] for n, b in zip(nodes, starts, strict=True)])
        ends = np.array(self.ends)
        code = np.stack([n.code[b + ends] for n, b in zip(nodes, starts, strict=True)]).astype(np.int64)
        exposed = np.stack([n.exposed[b + ends] for n, b in zip(nodes, starts, strict=True)]).astype(np.int64)
        code[(code > NORMAL_CODE) & (exposed < LEAST_EXPOSED)] = -1
        used, order = np.unique(order, return_inverse=True)
        hours = np.stack([self.slots[slot].normal for slot in used])
        strangers = np.array([not self.slots[slot].known for slot in used])
        return ChunkBatch(inputs, observed, self.ends, code, exposed, order, hours, strangers)

    def conditions(self) -> Sequence[int]:
        """Normal and the faults of a batch: all."""
        return self.codes

    def _renew(self) -> None:
        index = self._next()
        place = self.oldest % len(self.slots)
        self.oldest += 1
        self.slots[place] = self._slot(index if index >= 0 else self.slots[place].node)
        self._narrow()

    def targets(self, code: int, wanted: int, places: Mapping[int, int]) -> list[tuple[int, int]]:
        """Windows of the condition on nodes in use, each node as likely, then every window; none where these have none."""
        here = [rows for node, rows in self.places.by_node[code].items() if node in places]
        found: list[tuple[int, int]] = []
        for _ in range(wanted if here else 0):
            rows = here[self.rng.integers(len(here))]
            node, end = rows[self.rng.integers(len(rows))]
            found.append((int(node), int(end)))
        return found

    def _start(self, slot: _Slot, end: int) -> int:
        """First minute of a chunk in which a window ends at `end`, as near as the slot's stretch allows."""
        start = end - int(self.rng.choice(self.ends))
        return int(np.clip(start, slot.start, slot.start + len(slot.inputs) - self.length))
