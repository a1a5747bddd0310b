"""A network as the simulator sees it: everything about which operators' networks truly differ, drawn once from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from faultprint.simulate.kinds import KINDS, K


@dataclass(frozen=True, slots=True)
class Answer:
    """How a piece of equipment answers in trouble: `codes` with `weights`, after `seconds` × a log-normal of `spread`."""

    codes: tuple[int, ...]
    weights: tuple[float, ...]
    seconds: float
    spread: float


@dataclass(frozen=True, slots=True)
class Load:
    """How much there is to do and when.

    `peak` is in transactions a minute (both legs counted); hours are UTC; `share_*` divide the busy hour's transactions.
    """

    peak: float
    night: float
    bumps: tuple[tuple[float, float, float], ...]
    weekend: float
    weekend_shift: float
    wander: float
    wander_minutes: float
    share_register: float
    share_calls: float
    share_messages: float
    share_presence: float
    share_pings: float
    terminating: float
    spells_a_day: float
    on_share: float
    deregisters: float
    skew: float


@dataclass(frozen=True, slots=True)
class Habits:
    """What handsets, subscribers and equipment do from day to day; shares are 0 to 1, times in seconds."""

    refresh: float
    refresh_models: tuple[float, ...]
    refresh_jitter: float
    validity: float
    clusters: int
    challenged_refreshes: float
    challenged_invites: float
    reg_event: float
    answers_100: float
    prack: float
    update: float
    session_refresh: float
    info: float
    refer: float
    busy: float
    no_answer: float
    no_answer_after: float
    declined: float
    cancelled: float
    not_found: float
    forbidden: float
    unavailable: float
    server_errors: float
    register_forbidden: float
    bye_unknown: float
    unreachable: float
    redials: float
    redials_after: float
    gives_up_after: int
    backoff_base: float
    backoff_max: float
    retry_after: float
    talk: float
    talk_spread: float
    ringing: float
    ringing_spread: float
    pick_up: float


@dataclass(frozen=True, slots=True)
class Transport:
    """Links and timers: T1 in seconds, shares 0 to 1, `median` and `spread` of the answer time by kind (log-normal)."""

    gm_t1: float
    mw_t1: float
    tcp_handsets: float
    tcp_core: bool
    loss_gm: float
    loss_mw: float
    median: tuple[float, ...]
    spread: tuple[float, ...]
    hundred: float
    node: float
    strain: float
    size: float


@dataclass(frozen=True, slots=True)
class Network:
    """The drawn parameters of network `index`. `answers` says by trouble how this network's equipment reacts."""

    index: int
    load: Load
    habits: Habits
    transport: Transport
    answers: dict[str, tuple[Answer, ...]]

    @property
    def name(self) -> str:
        return f"net{self.index:02d}"

    @property
    def node(self) -> str:
        return f"{self.name}-pcscf"


def draw_network(index: int, rng: np.random.Generator, load: float = 1.0) -> Network:
    """Network `index` from `rng`; `load` scales its traffic."""
    return Network(
        index=index,
        load=_draw_load(rng, load),
        habits=_draw_habits(rng),
        transport=_draw_transport(rng),
        answers={trouble: _draw_answers(rng, choices) for trouble, choices in _REACTIONS.items()},
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _draw_load(rng: np.random.Generator, scale: float) -> Load:
    shift = rng.normal(0, 1.5)
    bumps = tuple(
        (float(hour + shift + rng.normal(0, 0.6)), float(rng.uniform(1.6, 3.4)), float(rng.uniform(low, 1.0)))
        for hour, low in ((10.5, 0.6), (14.5, 0.2), (19.0, 0.6))
    )
    shares = rng.dirichlet([9, 10, 2.5, 1.5, 1.0])
    return Load(
        peak=scale * float(np.clip(rng.lognormal(np.log(170), 0.6), 20, 420)),
        night=_log_uniform(rng, 0.04, 0.25),
        bumps=bumps,
        weekend=float(rng.uniform(0.6, 1.1)),
        weekend_shift=float(rng.uniform(0, 1.5)),
        wander=float(rng.uniform(0.03, 0.15)),
        wander_minutes=_log_uniform(rng, 10, 90),
        share_register=float(shares[0]),
        share_calls=float(shares[1]),
        share_messages=float(shares[2]),
        share_presence=float(shares[3]) * float(rng.random() < 0.6),
        share_pings=float(shares[4]) * float(rng.random() < 0.7),
        terminating=float(rng.uniform(0.35, 0.6)),
        spells_a_day=_log_uniform(rng, 0.6, 4.0),
        on_share=float(rng.uniform(0.75, 0.97)),
        deregisters=float(rng.uniform(0.2, 0.9)),
        skew=float(rng.uniform(0.6, 1.4)),
    )


def _draw_habits(rng: np.random.Generator) -> Habits:
    refresh = _log_uniform(rng, 600, 7200)
    return Habits(
        refresh=refresh,
        refresh_models=tuple(float(x) for x in rng.uniform(0.45, 1.0, size=rng.integers(1, 4))),
        refresh_jitter=_log_uniform(rng, 0.006, 0.06),
        validity=float(rng.uniform(1.05, 2.0)),
        clusters=int(rng.choice([0, 0, 0, 1, 3, 8])),
        challenged_refreshes=float(rng.choice([0.0, 1.0, rng.uniform(0.05, 0.9)])),
        challenged_invites=float(rng.choice([0.0, 0.0, rng.uniform(0.3, 1.0)])),
        reg_event=float(rng.choice([0.0, 1.0, rng.uniform(0.3, 1.0)])),
        answers_100=float(rng.choice([1.0, 1.0, 1.0, 0.0])),
        prack=float(rng.choice([0.0, 1.0, rng.uniform(0.2, 0.9)])),
        update=float(rng.choice([0.0, rng.uniform(0.1, 0.9)])),
        session_refresh=float(rng.choice([0.0, 600.0, 900.0, 1800.0])),
        info=float(rng.choice([0.0, rng.uniform(0.0, 0.1)])),
        refer=float(rng.choice([0.0, rng.uniform(0.0, 0.03)])),
        busy=float(rng.uniform(0.03, 0.14)),
        no_answer=float(rng.uniform(0.03, 0.18)),
        no_answer_after=float(rng.choice([20.0, 25.0, 30.0, 45.0, 60.0])),
        declined=float(rng.uniform(0.0, 0.05)),
        cancelled=float(rng.uniform(0.04, 0.16)),
        not_found=_log_uniform(rng, 0.003, 0.05),
        forbidden=_log_uniform(rng, 0.0005, 0.012),
        unavailable=_log_uniform(rng, 0.005, 0.06),
        server_errors=_log_uniform(rng, 0.0007, 0.012),
        register_forbidden=_log_uniform(rng, 0.001, 0.05),
        bye_unknown=float(rng.choice([0.0, _log_uniform(rng, 0.002, 0.03)])),
        unreachable=_log_uniform(rng, 0.001, 0.025),
        redials=float(rng.uniform(0.3, 0.85)),
        redials_after=_log_uniform(rng, 6, 40),
        gives_up_after=int(rng.integers(2, 6)),
        backoff_base=_log_uniform(rng, 8, 60),
        backoff_max=_log_uniform(rng, 120, 1200),
        retry_after=_log_uniform(rng, 5, 120),
        talk=_log_uniform(rng, 55, 190),
        talk_spread=float(rng.uniform(0.9, 1.4)),
        ringing=_log_uniform(rng, 0.6, 4.0),
        ringing_spread=float(rng.uniform(0.25, 0.7)),
        pick_up=_log_uniform(rng, 4, 11),
    )


def _draw_transport(rng: np.random.Generator) -> Transport:
    core = _log_uniform(rng, 0.012, 0.14)
    access = _log_uniform(rng, 0.05, 0.35)
    own = np.exp(rng.normal(0, 0.25, size=len(K)))
    median = tuple(
        float(own[k] * kind.effort * (core if kind.from_ue else access)) for k, kind in sorted(KINDS.items())
    )
    wide, narrow = rng.uniform(0.5, 1.0), rng.uniform(0.2, 0.6)
    return Transport(
        gm_t1=float(rng.choice([0.5, 0.5, 1.0, 2.0])),
        mw_t1=0.5,
        tcp_handsets=float(rng.choice([0.0, rng.uniform(0.05, 0.5), rng.uniform(0.5, 1.0)])),
        tcp_core=bool(rng.random() < 0.25),
        loss_gm=_log_uniform(rng, 0.0003, 0.008),
        loss_mw=_log_uniform(rng, 0.00002, 0.0008),
        median=median,
        spread=tuple(float(narrow if kind.from_ue else wide) for _, kind in sorted(KINDS.items())),
        hundred=_log_uniform(rng, 0.003, 0.05),
        node=_log_uniform(rng, 0.0006, 0.006),
        strain=float(rng.uniform(0.0, 0.5)),
        size=float(rng.uniform(0.75, 1.35)),
    )


Choice = tuple[tuple[int, ...], tuple[float, float], float]
"""Status codes that go together, the range of seconds after which they come, and the spread about it."""

_TIMER, _WORK = 0.015, 0.5

_REACTIONS: Final[dict[str, tuple[tuple[Choice, ...], ...]]] = {
    # REGISTER, then INVITE and the like, when the I- or S-CSCF gets no answer on Cx.
    "hss": (
        (
            ((408,), (4.0, 6.0), _TIMER),
            ((504,), (1.5, 10.0), _TIMER),
            ((500,), (1.5, 10.0), _TIMER),
            ((480,), (2.0, 8.0), _TIMER),
            ((500, 403), (0.05, 0.4), _WORK),
            ((503, 504), (0.05, 6.0), _WORK),
        ),
        (
            ((500,), (5.0, 8.0), _TIMER),
            ((500, 480), (1.5, 9.0), _TIMER),
            ((504,), (2.0, 10.0), _TIMER),
            ((404, 480), (0.1, 5.0), _WORK),
            ((500, 503), (0.05, 0.5), _WORK),
        ),
    ),
    # What the node tells the handset when nothing comes back from Mw, then the core when nothing comes back from Gm.
    "no-answer": (
        (
            ((504,), (31.8, 32.2), 0.003),
            ((408,), (31.8, 32.2), 0.003),
            ((408,), (4.0, 20.0), _TIMER),
            ((504,), (5.0, 24.0), _TIMER),
            ((503,), (6.0, 16.0), _TIMER),
        ),
        (((408,), (4.0, 32.0), _TIMER), ((480,), (4.0, 32.0), _TIMER), ((503, 408), (8.0, 32.0), _TIMER)),
    ),
    # A dead S-CSCF, when the host still refuses or the next hop notices.
    "scscf": (
        (
            ((503,), (0.01, 0.2), _WORK),
            ((504,), (3.0, 16.0), _TIMER),
            ((500, 503), (0.02, 0.5), _WORK),
            ((480,), (0.05, 8.0), _WORK),
            ((408,), (4.0, 12.0), _TIMER),
        ),
    ),
    "dns": (
        (
            ((478,), (0.002, 0.05), _WORK),
            ((478, 503), (1.0, 6.0), _WORK),
            ((503,), (0.5, 10.0), _TIMER),
            ((500,), (0.5, 8.0), _WORK),
        ),
    ),
    "as": (
        (
            ((500,), (0.05, 0.6), _WORK),
            ((503,), (0.02, 0.4), _WORK),
            ((408,), (2.0, 10.0), _TIMER),
            ((504, 500), (2.0, 12.0), _TIMER),
            ((500, 503, 480), (0.1, 3.0), _WORK),
        ),
    ),
    "pcrf": (
        (
            ((503,), (1.0, 10.0), _TIMER),
            ((500,), (1.0, 10.0), _TIMER),
            ((503, 500), (0.05, 0.5), _WORK),
            ((488, 503), (0.5, 6.0), _TIMER),
        ),
    ),
    "overload": ((((503,), (0.002, 0.1), _WORK), ((503, 500), (0.01, 0.5), _WORK), ((480, 503), (0.01, 0.3), _WORK)),),
    # Stray requests from strangers.
    "stranger": ((((403,), (0.002, 0.05), _WORK), ((404, 403), (0.01, 0.2), _WORK), ((401,), (0.02, 0.2), _WORK)),),
}


def _draw_answers(rng: np.random.Generator, choices: tuple[tuple[Choice, ...], ...]) -> tuple[Answer, ...]:
    answers = []
    for options in choices:
        codes, (low, high), spread = options[rng.integers(len(options))]
        weights = rng.dirichlet(np.arange(len(codes), 0, -1) * 2.0)
        answers.append(Answer(codes, tuple(float(w) for w in weights), _log_uniform(rng, low, high), spread))
    return tuple(answers)
