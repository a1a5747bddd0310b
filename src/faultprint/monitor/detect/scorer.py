"""From a finished minute of all nodes to their verdicts, which equal those of `cases.identify` on the same minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.cases.baseline import MAX_ATTEMPTS, Baseline, screen
from faultprint.cases.decision import (
    DebounceState,
    Rule,
    VerdictCode,
    debounce,
    is_fault,
    raw_verdicts,
    verdict_names,
    with_silence,
)
from faultprint.cases.evidence import EVIDENCE_MINUTES, evidence_lines
from faultprint.cases.matching import Matcher, Matches
from faultprint.cases.probability import probability_of
from faultprint.cases.recovery import ActiveState, next_state, recovered_minutes
from faultprint.cases.silence import (
    RequestHistory,
    advance,
    has_requests,
    is_silent,
    request_columns,
    request_counts,
)
from faultprint.cases.thresholds import normal_radius
from faultprint.embedding.model import Model, NodeBaseline
from faultprint.embedding.streaming import StepRecord, StreamingEncoder
from faultprint.errors import ModelError, UsageError
from faultprint.monitor.detect.finiteness import sound_baseline, sound_features, sound_steps
from faultprint.monitor.detect.nodes import NodeTable
from faultprint.publish.incident import Explanation
from faultprint.publish.text import finite_or_none
from faultprint.windows.series import Series


@dataclass(frozen=True, slots=True)
class MinuteVerdicts:
    """The verdicts of one minute.

    number       of the minute
    nodes        (N,) indices of the nodes observed, ascending
    code         (N,) verdict codes (`cases.decision`)
    active       (N,) whether the fault of the verdict is still active (`cases.recovery`)
    probability  (N,) of the verdict's condition (`cases.probability`); NaN without a window or a condition
    matches      distances of the W whole windows
    windows      (W,) where these stand among the N nodes
    evidence     by position among the N nodes
    values       (N, F) the minute's features
    stepped      (S,) indices of the nodes that the encoder took a step for
    step_record  what the step changed, to be stored; None without such nodes
    baselines    by node, of those that got their baseline in this minute
    suspects     by node, the fault that a rejected or accepted baseline looks like; "" if it has too many gaps, or no
                 request
    vectors      (W, D) of the whole windows, measured from each node's baseline
    """

    number: int
    nodes: IntArray
    code: IntArray
    active: BoolArray
    probability: Float32Array
    matches: Matches
    windows: IntArray
    evidence: Mapping[int, list[str]]
    values: Float32Array
    stepped: IntArray
    step_record: StepRecord | None
    baselines: Mapping[int, NodeBaseline] = field(default_factory=dict)
    suspects: Mapping[int, str] = field(default_factory=dict)
    not_finite: Sequence[int] = ()
    vectors: Float32Array | None = None

    def condition(self, position: int) -> str:
        """The verdict of the node at this position, in words."""
        return verdict_names(self.code[position : position + 1], self.matches.conditions)[0]

    def explanation(self, position: int) -> Explanation:
        """Why the node at this position has its verdict."""
        evidence = tuple(self.evidence.get(position, ()))
        probability = finite_or_none(float(self.probability[position]))
        row = int(np.searchsorted(self.windows, position))
        if row == len(self.windows) or self.windows[row] != position:
            return Explanation(evidence=evidence, probability=probability)
        near, second = int(self.matches.nearest[row]), int(self.matches.runner_up[row])
        distance = float(self.matches.distances[row, near])
        if second < 0:
            return Explanation(distance, evidence=evidence, probability=probability)
        margin = float(self.matches.distances[row, second] - self.matches.distances[row, near])
        return Explanation(distance, self.matches.conditions[second], margin, evidence, probability)

    def counts(self) -> dict[str, int]:
        """The number of nodes by condition."""
        codes, counts = np.unique(self.code, return_counts=True)
        return dict(zip(verdict_names(codes, self.matches.conditions), counts.tolist(), strict=True))


class Scorer:
    """Gives every node a verdict each minute: holds the streaming encoder of all nodes, the references and the rule.

    A node is warming-up until it has a baseline: its first minutes, or the next ones if those are suspect or have too many
    gaps, exactly as `cases.baseline.select` chooses them.
    """

    def __init__(
        self, model: Model, matcher: Matcher, rule: Rule, baseline: Baseline, *, quantized: bool = False
    ) -> None:
        """`baseline`: first or robust, without an interval. `quantized`: store buffers as 8-bit values.

        Raises UsageError for another baseline, ModelError for a model that a live monitor cannot run.
        """
        if baseline.kind not in ("first", "robust") or baseline.within is not None:
            raise UsageError("A monitor has no past minutes to choose from; use the baseline first or robust.")
        self.encoder = StreamingEncoder(model, quantized=quantized)
        if EVIDENCE_MINUTES not in model.manifest.spans:
            raise ModelError(
                f"The model has spans of {model.manifest.spans} minutes, but evidence needs one of "
                f"{EVIDENCE_MINUTES}; train it again."
            )
        if baseline.kind == "robust":
            normal_radius(model)  # fail now, not when the first node has its minutes
        self.model, self.rule, self.matcher, self.baseline = model, rule, matcher, baseline
        self._request_columns = request_columns(model.catalogue.names)

    def replace_references(self, matcher: Matcher, rule: Rule, nodes: NodeTable) -> None:
        """Use another library, or the same with other references. Current verdicts keep their conditions, by name."""
        rename_conditions(nodes, self.matcher.conditions, matcher.conditions)
        self.matcher, self.rule = matcher, rule

    def score(self, number: int, nodes: NodeTable, observed: IntArray, values: Float32Array) -> MinuteVerdicts:
        """The verdicts of minute `number` for the nodes `observed` (N,), each once, with their `values` (N, F)."""
        self.encoder.add_slots(len(nodes) - len(self.encoder))
        self.encoder.advance(number)
        if (np.diff(observed) < 0).any():
            order = np.argsort(observed)
            observed, values = observed[order], values[order]
        everyone = observed
        sound = sound_features(values)
        if not sound.all():
            observed, values = observed[sound], values[sound]
        ready = np.flatnonzero(nodes["baselined"][observed] == 1)
        windows, record, vectors = np.empty(0, np.int64), None, np.empty((0, self.model.dimensions), np.float32)
        if len(ready):
            ready_values = values if len(ready) == len(values) else values[ready]
            step, record = self.encoder.step(observed[ready], ready_values)
            whole, vectors = step.whole, step.vectors
            if not (sound := sound_steps(step, record)).all():
                kept = np.delete(np.arange(len(observed)), ready[~sound])
                observed, values, whole, vectors = observed[kept], values[kept], whole[sound], vectors[sound]
                ready = np.flatnonzero(nodes["baselined"][observed] == 1)
                record = StepRecord(record.values[sound], record.codes[sound])
            windows, vectors = ready[whole], vectors[whole]
        not_finite = (
            self._restart(number, nodes, np.setdiff1d(everyone, observed)) if len(observed) < len(everyone) else ()
        )
        raw = np.full(len(observed), VerdictCode.WARMING_UP)
        matches = self.matcher.match(vectors)
        raw[windows] = raw_verdicts(matches, np.ones(len(windows), np.bool_), self.rule)
        code = with_silence(self._debounce(nodes, observed, raw), self._silent(nodes, observed, values))
        nodes["observed_minutes"][observed] += 1
        nodes["last_minute"][observed] = number
        baselines, suspects = self._warm_up(number, nodes, observed, values)
        return MinuteVerdicts(
            number,
            observed,
            code,
            self._active(nodes, observed, code),
            self._probability(matches, windows, code),
            matches,
            windows,
            self._evidence(observed, ready, code),
            values,
            observed[ready],
            record,
            baselines,
            suspects,
            not_finite,
            vectors,
        )

    def _probability(self, matches: Matches, windows: IntArray, code: IntArray) -> Float32Array:
        """(N,) the probability of each verdict; the windows matched are those of the rows `windows`."""
        probability = np.full(len(code), np.nan, np.float32)
        probability[windows] = probability_of(matches, code[windows], self.rule.sharpness)
        return probability

    def _restart(self, number: int, nodes: NodeTable, chosen: IntArray) -> tuple[int, ...]:
        """Let nodes warm up again, because a number of this minute was not finite."""
        for node in chosen.tolist():
            nodes.reset(node)
            self.encoder.clear(node)
        nodes["last_minute"][chosen] = number
        return tuple(chosen.tolist())

    def _silent(self, nodes: NodeTable, observed: IntArray, values: Float32Array) -> BoolArray:
        """(N,) which nodes are silent in this minute (`cases.silence`)."""
        if not len(self._request_columns):
            return np.zeros(len(observed), np.bool_)
        history = RequestHistory(*(nodes[column][observed] for column in RequestHistory._fields))
        history = advance(history, request_counts(values, self._request_columns))
        silent = is_silent(history)
        history = history._replace(silent=silent.astype(np.int64))
        for column, numbers in history._asdict().items():
            nodes[column][observed] = numbers
        return silent

    def _debounce(self, nodes: NodeTable, observed: IntArray, raw: IntArray) -> IntArray:
        state = DebounceState(nodes["verdict"][observed], nodes["candidate"][observed], nodes["count"][observed])
        _, state = debounce(raw[:, None], self.rule.persistence, state)
        for column, values in (("verdict", state.verdict), ("candidate", state.candidate), ("count", state.count)):
            nodes[column][observed] = values
        return state.verdict

    def _active(self, nodes: NodeTable, observed: IntArray, code: IntArray) -> BoolArray:
        """(N,) whether the fault of each verdict is still active, by the short windows."""
        fault, recovered = is_fault(code), np.zeros(len(observed), np.bool_)
        # A node without traffic has an active fault, and perhaps no baseline that short windows could be judged by.
        judged = fault & (code != VerdictCode.NO_TRAFFIC)
        if judged.any():
            embeddings = self.encoder.short_embeddings(observed[judged])
            recovered[judged] = recovered_minutes(embeddings, self.matcher, self.rule)
        state = ActiveState(
            nodes["fault"][observed] == 1, nodes["active"][observed] == 1, nodes["active_count"][observed]
        )
        state = next_state(state, fault, recovered, self.rule.persistence)
        for column, values in (("fault", state.fault), ("active", state.active), ("active_count", state.count)):
            nodes[column][observed] = values
        return state.active

    def _warm_up(
        self, number: int, nodes: NodeTable, observed: IntArray, values: Float32Array
    ) -> tuple[dict[int, NodeBaseline], dict[int, str]]:
        """Keep the minute for nodes without a baseline. Returns the new baselines and what suspect ones look like."""
        baselines: dict[int, NodeBaseline] = {}
        suspects: dict[int, str] = {}
        for position in np.flatnonzero(nodes["baselined"][observed] == 0).tolist():
            node = int(observed[position])
            nodes.keep_minute(node, number, values[position].copy())
            if nodes["observed_minutes"][node] < self.baseline.minutes:
                continue
            history = nodes.history(node, self.model.manifest.interval_us, self.model.catalogue.names)
            baseline, suspect = self._select(history, nodes["rejected_baselines"][node] == MAX_ATTEMPTS - 1)
            if suspect is not None:
                suspects[node] = suspect
            nodes["baseline_suspect"][node] = bool(suspect)
            nodes["rejected_baselines"][node] += bool(suspect)
            if baseline is None:
                nodes.restart_warm_up(node)
                continue
            baselines[node] = baseline
            self.encoder.set_baseline(node, baseline, _last_minutes(history, self.encoder.history_minutes))
            nodes.finish_warm_up(node)
        return baselines, suspects

    def _select(self, history: Series, last_attempt: bool) -> tuple[NodeBaseline | None, str | None]:
        """A node's baseline, None if the next minutes are to be tried; and the fault that it looks like.

        That is "" if the minutes have too many gaps, or no request. The last attempt is accepted whatever it looks like.
        """
        try:
            minutes, suspect = screen(history, history.observed, self.baseline, self.model, self.matcher)
            if not has_requests(history, minutes):
                return None, ""
            if suspect and not last_attempt:
                return None, suspect
            baseline = self.model.baseline(history, minutes)
            return (baseline, suspect) if sound_baseline(baseline) else (None, "")
        except UsageError:
            return None, ""

    def _evidence(self, observed: IntArray, ready: IntArray, code: IntArray) -> dict[int, list[str]]:
        positions = ready[is_fault(code[ready])]  # Other nodes have no normal values to compare with.
        if not len(positions):
            return {}
        lines = evidence_lines(*self.encoder.recent_levels(observed[positions], EVIDENCE_MINUTES), self.model)
        return dict(zip(positions.tolist(), lines, strict=True))


def rename_conditions(nodes: NodeTable, before: Sequence[str], after: Sequence[str]) -> None:
    """Translate the nodes' verdict codes from the conditions `before` to those `after`; lost ones become unknown."""
    index = {name: code for code, name in enumerate(after)}
    codes = {code: index.get(name, VerdictCode.UNKNOWN) for code, name in enumerate(before)}
    codes |= {int(code): int(code) for code in VerdictCode if code < 0}
    for column in ("verdict", "candidate"):
        nodes[column][:] = [codes[code] for code in nodes[column].tolist()]


def _last_minutes(series: Series, minutes: int) -> Series:
    """Its last `minutes`, or all if it has fewer."""
    return series.slice(max(len(series) - minutes, 0), len(series))
