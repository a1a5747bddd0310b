"""The parameters of a simulated network: everything in which operators' networks differ, drawn once from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faultprint_lab.simulate.network.failure_responses import FailureResponse, draw_failure_responses, log_uniform
from faultprint_lab.simulate.network.request_kinds import KINDS, RequestKind


@dataclass(frozen=True, slots=True)
class NetworkLoad:
    """How much traffic there is, and when. Hours are UTC.

    peak                         transactions a minute in the busy hour, both legs counted
    night                        lowest load, relative to the peak
    peaks                        daily peaks: (hour, width in hours, height)
    weekend, weekend_shift       factor on weekends, and hours by which the day starts later
    walk_sigma, walk_minutes     size and correlation time of the random walk around the daily curve
    share_*                      shares of the busy hour's transactions
    terminating                  share of calls and messages that come from the core
    power_cycles_per_day         how often a handset is switched on a day
    on_share                     share of time in which a handset is on
    deregisters                  share of handsets that de-register when they are switched off
    skew                         spread of the subscribers' activity
    """

    peak: float
    night: float
    peaks: tuple[tuple[float, float, float], ...]
    weekend: float
    weekend_shift: float
    walk_sigma: float
    walk_minutes: float
    share_register: float
    share_calls: float
    share_messages: float
    share_presence: float
    share_pings: float
    terminating: float
    power_cycles_per_day: float
    on_share: float
    deregisters: float
    skew: float


@dataclass(frozen=True, slots=True)
class Habits:
    """Normal behaviour of handsets, subscribers and equipment. Shares are 0 to 1, times are seconds."""

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
    """Links and timers. Times are seconds, shares are 0 to 1.

    gm_t1, mw_t1              T1 of each leg
    tcp_handsets, tcp_core    share of handsets on TCP; whether Mw uses TCP
    loss_gm, loss_mw          packet loss
    median, spread            response time by kind of request (log-normal)
    trying_delay              delay of a 100 Trying
    node_delay                the node's own delay each way
    load_sensitivity          how much delays grow with the load
    size                      factor on message lengths
    """

    gm_t1: float
    mw_t1: float
    tcp_handsets: float
    tcp_core: bool
    loss_gm: float
    loss_mw: float
    median: tuple[float, ...]
    spread: tuple[float, ...]
    trying_delay: float
    node_delay: float
    load_sensitivity: float
    size: float


@dataclass(frozen=True, slots=True)
class SimulatedNetwork:
    """The drawn parameters of network `index`; `failure_responses` by the name of the failure."""

    index: int
    load: NetworkLoad
    habits: Habits
    transport: Transport
    failure_responses: dict[str, tuple[FailureResponse, ...]]

    @property
    def name(self) -> str:
        return f"net{self.index:02d}"

    @property
    def node(self) -> str:
        return f"{self.name}-pcscf"


def draw_network(index: int, rng: np.random.Generator, load: float = 1.0) -> SimulatedNetwork:
    """Draw network `index` from `rng`; `load` scales its traffic."""
    return SimulatedNetwork(
        index=index,
        load=_draw_load(rng, load),
        habits=_draw_habits(rng),
        transport=_draw_transport(rng),
        failure_responses=draw_failure_responses(rng),
    )


def _draw_load(rng: np.random.Generator, scale: float) -> NetworkLoad:
    shift = rng.normal(0, 1.5)
    peaks = tuple(
        (float(hour + shift + rng.normal(0, 0.6)), float(rng.uniform(1.6, 3.4)), float(rng.uniform(low, 1.0)))
        for hour, low in ((10.5, 0.6), (14.5, 0.2), (19.0, 0.6))
    )
    shares = rng.dirichlet([9, 10, 2.5, 1.5, 1.0])
    return NetworkLoad(
        peak=scale * float(np.clip(rng.lognormal(np.log(170), 0.6), 20, 420)),
        night=log_uniform(rng, 0.04, 0.25),
        peaks=peaks,
        weekend=float(rng.uniform(0.6, 1.1)),
        weekend_shift=float(rng.uniform(0, 1.5)),
        walk_sigma=float(rng.uniform(0.03, 0.15)),
        walk_minutes=log_uniform(rng, 10, 90),
        share_register=float(shares[0]),
        share_calls=float(shares[1]),
        share_messages=float(shares[2]),
        share_presence=float(shares[3]) * float(rng.random() < 0.6),
        share_pings=float(shares[4]) * float(rng.random() < 0.7),
        terminating=float(rng.uniform(0.35, 0.6)),
        power_cycles_per_day=log_uniform(rng, 0.6, 4.0),
        on_share=float(rng.uniform(0.75, 0.97)),
        deregisters=float(rng.uniform(0.2, 0.9)),
        skew=float(rng.uniform(0.6, 1.4)),
    )


def _draw_habits(rng: np.random.Generator) -> Habits:
    refresh = log_uniform(rng, 600, 7200)
    return Habits(
        refresh=refresh,
        refresh_models=tuple(float(x) for x in rng.uniform(0.45, 1.0, size=rng.integers(1, 4))),
        refresh_jitter=log_uniform(rng, 0.006, 0.06),
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
        not_found=log_uniform(rng, 0.003, 0.05),
        forbidden=log_uniform(rng, 0.0005, 0.012),
        unavailable=log_uniform(rng, 0.005, 0.06),
        server_errors=log_uniform(rng, 0.0007, 0.012),
        register_forbidden=log_uniform(rng, 0.001, 0.05),
        bye_unknown=float(rng.choice([0.0, log_uniform(rng, 0.002, 0.03)])),
        unreachable=log_uniform(rng, 0.001, 0.025),
        redials=float(rng.uniform(0.3, 0.85)),
        redials_after=log_uniform(rng, 6, 40),
        gives_up_after=int(rng.integers(2, 6)),
        backoff_base=log_uniform(rng, 8, 60),
        backoff_max=log_uniform(rng, 120, 1200),
        retry_after=log_uniform(rng, 5, 120),
        talk=log_uniform(rng, 55, 190),
        talk_spread=float(rng.uniform(0.9, 1.4)),
        ringing=log_uniform(rng, 0.6, 4.0),
        ringing_spread=float(rng.uniform(0.25, 0.7)),
        pick_up=log_uniform(rng, 4, 11),
    )


def _draw_transport(rng: np.random.Generator) -> Transport:
    core = log_uniform(rng, 0.012, 0.14)
    access = log_uniform(rng, 0.05, 0.35)
    factor = np.exp(rng.normal(0, 0.25, size=len(RequestKind)))
    median = tuple(
        float(factor[k] * kind.effort * (core if kind.from_ue else access)) for k, kind in sorted(KINDS.items())
    )
    wide, narrow = rng.uniform(0.5, 1.0), rng.uniform(0.2, 0.6)
    return Transport(
        gm_t1=float(rng.choice([0.5, 0.5, 1.0, 2.0])),
        mw_t1=0.5,
        tcp_handsets=float(rng.choice([0.0, rng.uniform(0.05, 0.5), rng.uniform(0.5, 1.0)])),
        tcp_core=bool(rng.random() < 0.25),
        loss_gm=log_uniform(rng, 0.0003, 0.008),
        loss_mw=log_uniform(rng, 0.00002, 0.0008),
        median=median,
        spread=tuple(float(narrow if kind.from_ue else wide) for _, kind in sorted(KINDS.items())),
        trying_delay=log_uniform(rng, 0.003, 0.05),
        node_delay=log_uniform(rng, 0.0006, 0.006),
        load_sensitivity=float(rng.uniform(0.0, 0.5)),
        size=float(rng.uniform(0.75, 1.35)),
    )
