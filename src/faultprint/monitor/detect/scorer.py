"""A finished minute of all nodes → their verdicts, equal to those of `faultprint identify` on the same minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from faultprint.cases.baseline import TRIES, taken
from faultprint.cases.calibration import normal_reach
from faultprint.cases.decision import UNKNOWN_CODE, WARMING_CODE, Rule, claims, faulty, step_all
from faultprint.cases.evidence import RECENT, words
from faultprint.cases.identify import names
from faultprint.cases.matching import Matcher, Matches
from faultprint.cases.recovery import calm
from faultprint.cases.recovery import step_all as step_presence
from faultprint.embedding.model import Model, Normal
from faultprint.embedding.streaming import Lanes, Trace
from faultprint.errors import ModelError, UsageError
from faultprint.monitor.detect.nodes import Nodes
from faultprint.publish.incident import Grounds
from faultprint.windows.series import Series

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdicts of one minute.

    `nodes` (N,) indices of the nodes observed, ascending; `code` (N,) verdicts (`cases.decision`); `ongoing` (N,) whether
    the fault that a verdict names is still there (`cases.clearing`); `matches` of those whose
    window is whole, which stand at `windows` (W,) among the N; `evidence` by place among the N. `values` (N, F) are the
    minute's; `trace` is of the nodes `traced` (T,), `normals` of those that became ready, `doubts` the
    faults that what was to be normal looks like (`cases.taking`), "" where it was too full of gaps.
    """

    number: int
    nodes: Ints
    code: Ints
    ongoing: npt.NDArray[np.bool_]
    matches: Matches
    windows: Ints
    evidence: Mapping[int, list[str]]
    values: Array
    traced: Ints
    trace: Trace | None
    normals: Mapping[int, Normal] = field(default_factory=dict)
    doubts: Mapping[int, str] = field(default_factory=dict)

    def condition(self, place: int) -> str:
        """The word for the verdict of the node at this place."""
        return names(self.code[place : place + 1], self.matches.conditions)[0]

    def grounds(self, place: int) -> Grounds:
        """Why the verdict of the node at this place is what it is."""
        evidence = tuple(self.evidence.get(place, ()))
        at = int(np.searchsorted(self.windows, place))
        if at == len(self.windows) or self.windows[at] != place:
            return Grounds(evidence=evidence)
        near, second = int(self.matches.nearest[at]), int(self.matches.runner_up[at])
        distance = float(self.matches.distances[at, near])
        if second < 0:
            return Grounds(distance, evidence=evidence)
        margin = float(self.matches.distances[at, second] - self.matches.distances[at, near])
        return Grounds(distance, self.matches.conditions[second], margin, evidence)

    def counts(self) -> dict[str, int]:
        """Verdicts by condition."""
        codes, counts = np.unique(self.code, return_counts=True)
        return dict(zip(names(codes, self.matches.conditions), counts.tolist(), strict=True))


class Judge:
    """Holds the rings of all nodes (`embedding.lanes`), the references and the rule.

    A node's first `profile_minutes` observed minutes are its normal, or the next (`cases.taking`); until they have passed its
    verdict is warming-up.
    """

    def __init__(
        self,
        model: Model,
        matcher: Matcher,
        rule: Rule,
        profile_minutes: int,
        *,
        vouched: bool = True,
        compact: bool = False,
    ) -> None:
        """`vouched`: as for `identify`; `compact`: keep minutes in a byte a number. Raises ModelError for a model that a live
        monitor cannot run."""
        self.lanes = Lanes(model, compact=compact)
        if RECENT not in model.manifest.spans:
            raise ModelError(
                f"The model has spans of {model.manifest.spans} minutes, but evidence needs one of {RECENT}; train it anew."
            )
        if not vouched:
            normal_reach(model)  # now, rather than when the first node is ready
        self.model, self.rule = model, rule
        self.matcher = matcher
        self.profile_minutes, self.vouched = profile_minutes, vouched

    def exchange(self, matcher: Matcher, rule: Rule, nodes: Nodes) -> None:
        """Another library, or the same with other references: verdicts that stand keep their conditions, by name."""
        rename(nodes, self.matcher.conditions, matcher.conditions)
        self.matcher, self.rule = matcher, rule

    def judge(self, number: int, nodes: Nodes, observed: Ints, values: Array) -> Judged:
        """The minute `number` of the nodes `observed` (N,), each once, with their `values` (N, F)."""
        self.lanes.add(len(nodes) - len(self.lanes))
        self.lanes.advance(number)
        if (np.diff(observed) < 0).any():
            order = np.argsort(observed)
            observed, values = observed[order], values[order]
        ready = np.flatnonzero(nodes["ready"][observed] == 1)
        claimed = np.full(len(observed), WARMING_CODE)
        windows, trace, vectors = np.empty(0, np.int64), None, np.empty((0, self.model.dimensions), np.float32)
        if len(ready):
            of_ready = values if len(ready) == len(values) else values[ready]
            stepped, trace = self.lanes.step(observed[ready], of_ready)
            windows, vectors = ready[stepped.whole], stepped.vectors[stepped.whole]
        matches = self.matcher.match(vectors)
        claimed[windows] = claims(matches, np.ones(len(windows), np.bool_), self.rule)
        code = self._settle(nodes, observed, claimed)
        nodes["seen"][observed] += 1
        nodes["last"][observed] = number
        normals, doubts = self._warm(number, nodes, observed, values)
        return Judged(
            number,
            observed,
            code,
            self._presence(nodes, observed, code),
            matches,
            windows,
            self._evidence(observed, code),
            values,
            observed[ready],
            trace,
            normals,
            doubts,
        )

    def _settle(self, nodes: Nodes, observed: Ints, claimed: Ints) -> Ints:
        columns = ("verdict", "rival", "agreed")
        verdict, rival, agreed = (nodes[column][observed] for column in columns)
        settled = step_all((verdict, rival, agreed), claimed, self.rule.persistence)
        for column, now in zip(columns, settled, strict=True):
            nodes[column][observed] = now
        return settled[0]

    def _presence(self, nodes: Nodes, observed: Ints, code: Ints) -> npt.NDArray[np.bool_]:
        """(N,) whether the fault of the verdict is there, by the recent minutes."""
        fault = faulty(code)
        quiet = np.zeros(len(observed), np.bool_)
        if fault.any():
            quiet[fault] = calm(self.lanes.lately(observed[fault]), self.matcher, self.rule)
        before = nodes["raised"][observed] == 1, nodes["there"][observed] == 1, nodes["against"][observed]
        after = step_presence(before, fault, quiet, self.rule.persistence)
        for column, now in zip(("raised", "there", "against"), after, strict=True):
            nodes[column][observed] = now
        return after[1]

    def _warm(
        self, number: int, nodes: Nodes, observed: Ints, values: Array
    ) -> tuple[dict[int, Normal], dict[int, str]]:
        """Keep the minute of nodes without a normal; those that have seen enough get theirs, or are in doubt (`cases.taking`)."""
        normals: dict[int, Normal] = {}
        doubts: dict[int, str] = {}
        for place in np.flatnonzero(nodes["ready"][observed] == 0).tolist():
            node = int(observed[place])
            nodes.keep(node, number, values[place].copy())
            if nodes["seen"][node] >= self.profile_minutes:
                history = nodes.history(node, self.model.manifest.interval_us, self.model.catalogue.names)
                normal, doubt = self._normal(history, nodes["refused"][node] == TRIES - 1)
                if doubt is not None:
                    doubts[node] = doubt
                nodes["doubtful"][node] = bool(doubt)
                nodes["refused"][node] += bool(doubt)
                if normal is None:
                    nodes.refuse(node)
                    continue
                normals[node] = normal
                self.lanes.teach(node, normal, _end(history, self.lanes.history))
                nodes.warmed(node)
        return normals, doubts

    def _normal(self, history: Series, last: bool) -> tuple[Normal | None, str | None]:
        """A node's normal, None if these minutes are not to be it, and the fault that they look like, "" if they are too full of
        gaps; the `last` try counts whatever it looks like."""
        try:
            chosen, fault = taken(history, history.observed, self.model, self.matcher, vouched=self.vouched)
            if fault and not last:
                return None, fault
            return self.model.normal(history, chosen), fault
        except UsageError:
            return None, ""

    def _evidence(self, observed: Ints, code: Ints) -> dict[int, list[str]]:
        places = np.flatnonzero(faulty(code))
        if not len(places):
            return {}
        found = words(*self.lanes.recent(observed[places], RECENT), self.model)
        return dict(zip(places.tolist(), found, strict=True))


def rename(nodes: Nodes, before: Sequence[str], after: Sequence[str]) -> None:
    """Let standings that count the conditions `before` count those `after`; what is known no more becomes unknown."""
    place = {name: code for code, name in enumerate(after)}
    # The last two lie where UNKNOWN_CODE and WARMING_CODE point.
    table = np.array([*(place.get(name, UNKNOWN_CODE) for name in before), UNKNOWN_CODE, WARMING_CODE])
    for column in ("verdict", "rival"):
        nodes[column][:] = table[nodes[column]]


def _end(series: Series, minutes: int) -> Series:
    """Its last minutes, so many or all there are."""
    return series.part(max(len(series) - minutes, 0), len(series))
