"""How batches are drawn: mixed over conditions and networks, always.

A generator that feeds one network at a time lets batch statistics act as a hidden normalisation per network; here every
batch mixes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from faultprint.errors import UsageError
from faultprint.training.material import NORMAL_CODE, Material
from faultprint.windows.normalise import normalise, raw
from faultprint.windows.profile import Profile, profile

Array = npt.NDArray[np.float32]

LEAST_EXPOSED: Final = 10
"""Faulty minutes a window must hold to be drawn: those with fewer wreck hard comparisons, and teach little."""

PER_FAULT: Final = 4
OF_NORMAL: Final = 20
"""Chunks of each fault, and of normal, in a batch for the default network."""


class Places:
    """Where the windows of every condition are: condition → network → (node, last minute) rows."""

    def __init__(self, material: Material, least_exposed: int = LEAST_EXPOSED) -> None:
        """Raises UsageError where a batch could hold no two conditions."""
        self.places: list[dict[str, npt.NDArray[np.int64]]] = []
        for code in range(len(material.conditions)):
            found: dict[str, list[npt.NDArray[np.int64]]] = {}
            for i, node in enumerate(material.nodes):
                here = node.code == code
                if code != NORMAL_CODE:
                    here &= node.exposed >= least_exposed
                ends = np.flatnonzero(here)
                if len(ends):
                    rows = np.column_stack((np.full(len(ends), i), ends)).astype(np.int64)
                    found.setdefault(node.series.network, []).append(rows)
            self.places.append({network: np.concatenate(rows) for network, rows in sorted(found.items())})
        self.codes: list[int] = [code for code, found in enumerate(self.places) if found]
        if len(self.codes) < 2:
            raise UsageError(
                f"Only {len(self.codes)} condition has windows to train on, but telling apart needs two; label normal traffic "
                f"and faults of {least_exposed} minutes or more."
            )

    def draw(self, code: int, rng: np.random.Generator) -> tuple[int, int]:
        """(node, last minute) of a window of the condition: every network as likely, then every window."""
        networks = list(self.places[code])
        rows = self.places[code][networks[rng.integers(len(networks))]]
        node, end = rows[rng.integers(len(rows))]
        return int(node), int(end)


class Triplets:
    """The posts' way: random triplets, three windows each, endlessly."""

    def __init__(self, material: Material, rng: np.random.Generator) -> None:
        self.places = Places(material, least_exposed=1)
        self.window = material.window
        self.inputs = [raw(node.series.values) for node in material.nodes]
        self.rng = rng
        self.rich = [c for c in self.places.codes if sum(map(len, self.places.places[c].values())) > 1]
        if not self.rich:
            raise UsageError("No condition has two windows, so no triplet can be formed; label longer stretches.")

    def draw(self, size: int) -> tuple[Array, Array, Array]:
        """Anchors, positives and negatives, (size, W, F) raw each. Conditions are as likely as one another."""
        rows: list[tuple[Array, Array, Array]] = []
        for _ in range(size):
            code = self.rich[self.rng.integers(len(self.rich))]
            others = [c for c in self.places.codes if c != code]
            other = others[self.rng.integers(len(others))]
            anchor, positive, negative = (self.window_at(*self.places.draw(c, self.rng)) for c in (code, code, other))
            rows.append((anchor, positive, negative))
        anchors, positives, negatives = (np.stack(column) for column in zip(*rows, strict=True))
        return anchors, positives, negatives

    def window_at(self, node: int, end: int) -> Array:
        """(W, F) the raw window of the node that ends at minute `end`."""
        return self.inputs[node][end - self.window + 1 : end + 1]


@dataclass(frozen=True, slots=True)
class Chunks:
    """A batch for the default network: stretches of minutes, each of which several windows end in.

    `inputs` (C, L, I); `observed` (C, L); windows end at the minutes `ends` (E of them) of every chunk and bear `code` (C, E)
    (-1: not used) with `exposed` (C, E) faulty minutes; `slot` (C,) says whose normal a chunk is compared with: `hours`
    (A, W, I) are stretches of normal traffic, one a slot, and all of their minutes are observed.
    """

    inputs: Array
    observed: npt.NDArray[np.bool_]
    ends: range
    code: npt.NDArray[np.int64]
    exposed: npt.NDArray[np.int64]
    slot: npt.NDArray[np.int64]
    hours: Array


@dataclass(slots=True)
class _Slot:
    """A node as it stands under one draw of its profile: of `hours` hours from minute `hour` on, as far as they are normal."""

    node: int
    hour: int
    hours: int
    inputs: Array


class ChunkSampler:
    """P chunks of each of the K conditions, over up to `active` nodes at once.

    A node in use is normalised by a profile of a random hour of its normal traffic (sometimes longer), as it will be at
    work; every `refresh_every` batches one draws a new profile, or gives its place to another node.
    """

    def __init__(
        self,
        material: Material,
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
        self.places = Places(material)

    def _next(self) -> int:
        if not self.waiting:
            held = {slot.node for slot in self.slots}
            self.waiting = [n for n in self.rng.permutation(len(self.material.nodes)) if n not in held]
        return int(self.waiting.pop()) if self.waiting else -1

    def state(self) -> dict[str, Any]:
        """For JSON: what was drawn and is still in use; `restore` goes on from it, given the generator's own state as well."""
        return {
            "waiting": [int(node) for node in self.waiting],
            "slots": [[slot.node, slot.hour, slot.hours] for slot in self.slots],
            "oldest": self.oldest,
            "drawn": self.drawn,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Stand where `state` was taken."""
        self.waiting = [int(node) for node in state["waiting"]]
        self.slots = [self._fill(*map(int, slot)) for slot in state["slots"]]
        self.oldest, self.drawn = int(state["oldest"]), int(state["drawn"])

    def _slot(self, index: int) -> _Slot:
        """The node under a profile of an hour of its normal traffic, mostly; every third time of two or four."""
        hour = int(self.rng.choice(self.material.nodes[index].hours))
        return self._fill(index, hour, int(self.rng.choice((1, 1, 1, 1, 2, 4))))

    def _fill(self, index: int, hour: int, hours: int) -> _Slot:
        node = self.material.nodes[index]
        chosen = np.zeros(len(node.series), dtype=np.bool_)
        chosen[hour : hour + hours * self.material.window] = True
        own = profile(node.levels, self.material.kinds, chosen & node.normal)
        return _Slot(index, hour, hours, normalise(node.levels, self.material.kinds, own, self.people))

    def __iter__(self) -> Iterator[Chunks]:
        while True:
            yield self.draw()

    def draw(self) -> Chunks:
        """The next batch."""
        self.drawn += 1
        if self.drawn % self.refresh_every == 0:
            self._renew()
        places = {slot.node: i for i, slot in enumerate(self.slots)}
        targets: list[tuple[int, int]] = []
        for condition in self.places.codes:
            wanted = self.of_normal if condition == NORMAL_CODE else self.per_fault
            targets += self._targets(condition, wanted, places)
        order = np.array([places[node] for node, _ in targets], dtype=np.int64)
        starts = [self._start(node, end) for node, end in targets]
        inputs = np.stack([self.slots[s].inputs[b : b + self.length] for s, b in zip(order, starts, strict=True)])
        nodes = [self.material.nodes[node] for node, _ in targets]
        observed = np.stack([n.series.observed[b : b + self.length] for n, b in zip(nodes, starts, strict=True)])
        ends = np.array(self.ends)
        code = np.stack([n.code[b + ends] for n, b in zip(nodes, starts, strict=True)]).astype(np.int64)
        exposed = np.stack([n.exposed[b + ends] for n, b in zip(nodes, starts, strict=True)]).astype(np.int64)
        code[(code > NORMAL_CODE) & (exposed < LEAST_EXPOSED)] = -1
        hours = np.stack([slot.inputs[slot.hour : slot.hour + self.material.window] for slot in self.slots])
        return Chunks(inputs, observed, self.ends, code, exposed, order, hours)

    def _renew(self) -> None:
        index = self._next()
        place = self.oldest % len(self.slots)
        self.oldest += 1
        self.slots[place] = self._slot(index if index >= 0 else self.slots[place].node)

    def _targets(self, code: int, wanted: int, places: dict[int, int]) -> list[tuple[int, int]]:
        """Windows of the condition on nodes in use; fewer, or none, where these have none."""
        found: list[tuple[int, int]] = []
        for _ in range(4 * wanted):
            if len(found) == wanted:
                break
            node, end = self.places.draw(code, self.rng)
            if node in places:
                found.append((node, end))
        return found

    def _start(self, node: int, end: int) -> int:
        """First minute of a chunk in which a window ends at `end`, as near as the series allows."""
        start = end - int(self.rng.choice(self.ends))
        return int(np.clip(start, 0, len(self.material.nodes[node].series) - self.length))
