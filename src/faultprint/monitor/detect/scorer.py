"""A finished minute of all nodes → their verdicts, equal to those of `faultprint identify` on the same minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.cases.baseline import MAX_ATTEMPTS, select_minutes
from faultprint.cases.calibration import normal_radius
from faultprint.cases.decision import UNKNOWN_CODE, WARMING_CODE, Rule, faulty, raw_verdicts, step_all
from faultprint.cases.evidence import RECENT, evidence_lines
from faultprint.cases.identify import names
from faultprint.cases.matching import Matcher, Matches
from faultprint.cases.recovery import recovered_minutes
from faultprint.cases.recovery import step_all as step_presence
from faultprint.embedding.model import Model, NodeBaseline
from faultprint.embedding.streaming import StepRecord, StreamingEncoder
from faultprint.errors import ModelError, UsageError
from faultprint.monitor.detect.nodes import NodeTable
from faultprint.publish.incident import Explanation
from faultprint.windows.series import Series


@dataclass(frozen=True, slots=True)
class MinuteVerdicts:
    """The verdicts of one minute.

    `nodes` (N,) indices of the nodes observed, ascending; `code` (N,) verdicts (`cases.decision`); `ongoing` (N,) whether
    the fault that a verdict names is still there (`cases.clearing`); `matches` of those whose
    window is whole, which stand at `windows` (W,) among the N; `evidence` by place among the N. `values` (N, F) are the
    minute's; `trace` is of the nodes `traced` (T,), `normals` of those that became ready, `doubts` the
    faults that what was to be normal looks like (`cases.taking`), "" where it was too full of gaps.
    """

    number: int
    nodes: IntArray
    code: IntArray
    ongoing: BoolArray
    matches: Matches
    windows: IntArray
    evidence: Mapping[int, list[str]]
    values: Float32Array
    traced: IntArray
    trace: StepRecord | None
    normals: Mapping[int, NodeBaseline] = field(default_factory=dict)
    doubts: Mapping[int, str] = field(default_factory=dict)

    def condition(self, place: int) -> str:
        """The word for the verdict of the node at this place."""
        return names(self.code[place : place + 1], self.matches.conditions)[0]

    def grounds(self, place: int) -> Explanation:
        """Why the verdict of the node at this place is what it is."""
        evidence = tuple(self.evidence.get(place, ()))
        at = int(np.searchsorted(self.windows, place))
        if at == len(self.windows) or self.windows[at] != place:
            return Explanation(evidence=evidence)
        near, second = int(self.matches.nearest[at]), int(self.matches.runner_up[at])
        distance = float(self.matches.distances[at, near])
        if second < 0:
            return Explanation(distance, evidence=evidence)
        margin = float(self.matches.distances[at, second] - self.matches.distances[at, near])
        return Explanation(distance, self.matches.conditions[second], margin, evidence)

    def counts(self) -> dict[str, int]:
        """Verdicts by condition."""
        codes, counts = np.unique(self.code, return_counts=True)
        return dict(zip(names(codes, self.matches.conditions), counts.tolist(), strict=True))


class Scorer:
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
        self.lanes = StreamingEncoder(model, compact=compact)
        if RECENT not in model.manifest.spans:
            raise ModelError(
                f"The model has spans of {model.manifest.spans} minutes, but evidence needs one of {RECENT}; train it anew."
            )
        if not vouched:
            normal_radius(model)  # now, rather than when the first node is ready
        self.model, self.rule = model, rule
        self.matcher = matcher
        self.profile_minutes, self.vouched = profile_minutes, vouched

    def exchange(self, matcher: Matcher, rule: Rule, nodes: NodeTable) -> None:
        """Another library, or the same with other references: verdicts that stand keep their conditions, by name."""
        rename(nodes, self.matcher.conditions, matcher.conditions)
        self.matcher, self.rule = matcher, rule

    def judge(self, number: int, nodes: NodeTable, observed: IntArray, values: Float32Array) -> MinuteVerdicts:
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
        claimed[windows] = raw_verdicts(matches, np.ones(len(windows), np.bool_), self.rule)
        code = self._settle(nodes, observed, claimed)
        nodes["seen"][observed] += 1
        nodes["last"][observed] = number
        normals, doubts = self._warm(number, nodes, observed, values)
        return MinuteVerdicts(
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

    def _settle(self, nodes: NodeTable, observed: IntArray, claimed: IntArray) -> IntArray:
        columns = ("verdict", "rival", "agreed")
        verdict, rival, agreed = (nodes[column][observed] for column in columns)
        settled = step_all((verdict, rival, agreed), claimed, self.rule.persistence)
        for column, now in zip(columns, settled, strict=True):
            nodes[column][observed] = now
        return settled[0]

    def _presence(self, nodes: NodeTable, observed: IntArray, code: IntArray) -> BoolArray:
        """(N,) whether the fault of the verdict is there, by the recent minutes."""
        fault = faulty(code)
        quiet = np.zeros(len(observed), np.bool_)
        if fault.any():
            quiet[fault] = recovered_minutes(self.lanes.lately(observed[fault]), self.matcher, self.rule)
        before = nodes["raised"][observed] == 1, nodes["there"][observed] == 1, nodes["against"][observed]
        after = step_presence(before, fault, quiet, self.rule.persistence)
        for column, now in zip(("raised", "there", "against"), after, strict=True):
            nodes[column][observed] = now
        return after[1]

    def _warm(
        self, number: int, nodes: NodeTable, observed: IntArray, values: Float32Array
    ) -> tuple[dict[int, NodeBaseline], dict[int, str]]:
        """Keep the minute of nodes without a normal; those that have seen enough get theirs, or are in doubt (`cases.taking`)."""
        normals: dict[int, NodeBaseline] = {}
        doubts: dict[int, str] = {}
        for place in np.flatnonzero(nodes["ready"][observed] == 0).tolist():
            node = int(observed[place])
            nodes.keep(node, number, values[place].copy())
            if nodes["seen"][node] >= self.profile_minutes:
                history = nodes.history(node, self.model.manifest.interval_us, self.model.catalogue.names)
                normal, doubt = self._normal(history, nodes["refused"][node] == MAX_ATTEMPTS - 1)
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

    def _normal(self, history: Series, last: bool) -> tuple[NodeBaseline | None, str | None]:
        """A node's normal, None if these minutes are not to be it, and the fault that they look like, "" if they are too full of
        gaps; the `last` try counts whatever it looks like."""
        try:
            chosen, fault = select_minutes(history, history.observed, self.model, self.matcher, vouched=self.vouched)
            if fault and not last:
                return None, fault
            return self.model.baseline(history, chosen), fault
        except UsageError:
            return None, ""

    def _evidence(self, observed: IntArray, code: IntArray) -> dict[int, list[str]]:
        places = np.flatnonzero(faulty(code))
        if not len(places):
            return {}
        found = evidence_lines(*self.lanes.recent(observed[places], RECENT), self.model)
        return dict(zip(places.tolist(), found, strict=True))


def rename(nodes: NodeTable, before: Sequence[str], after: Sequence[str]) -> None:
    """Let standings that count the conditions `before` count those `after`; what is known no more becomes unknown."""
    place = {name: code for code, name in enumerate(after)}
    # The last two lie where UNKNOWN_CODE and WARMING_CODE point.
    table = np.array([*(place.get(name, UNKNOWN_CODE) for name in before), UNKNOWN_CODE, WARMING_CODE])
    for column in ("verdict", "rival"):
        nodes[column][:] = table[nodes[column]]


def _end(series: Series, minutes: int) -> Series:
    """Its last minutes, so many or all there are."""
    return series.part(max(len(series) - minutes, 0), len(series))
