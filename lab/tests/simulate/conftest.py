"""Scenarios with one fault, and statistics of the traffic before and during it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from faultprint_lab.simulate.faults.fault import EpisodeSlot
from faultprint_lab.simulate.faults.table import FAULTS
from faultprint_lab.simulate.network.network import draw_network
from faultprint_lab.simulate.run import build_scenario, run_episodes
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode

START = datetime(2026, 1, 5, tzinfo=UTC)
FAULT_START, FAULT_SECONDS = 6 * 3600.0, 2400.0
SEEDS = (11, 12, 13)

Figures = Callable[..., tuple[dict[str, float], dict[str, float]]]


@lru_cache(maxsize=8)
def make_scenario(seed: int) -> Scenario:
    """A network of medium size whose handsets use UDP, for eight hours with their peak at the fault."""
    network = draw_network(seed, np.random.default_rng(seed))
    load = replace(network.load, peak=240.0, peaks=((6.3, 3.0, 1.0),), share_messages=0.1, share_pings=0.05)
    transport = replace(network.transport, tcp_handsets=0.0, tcp_core=False, gm_t1=0.5)
    network = replace(network, load=load, transport=transport)
    return build_scenario(network, 8 / 24, START, np.random.default_rng(seed))


def episode(
    name: str, scenario: Scenario, severity: float, seed: int, start: float = FAULT_START, **draws: Any
) -> SimulatedEpisode:
    rng = np.random.default_rng(seed)
    slot = EpisodeSlot(scenario, start, start + FAULT_SECONDS, severity, np.random.default_rng(seed), rng)
    drawn = FAULTS[name].draw(slot) | draws
    return SimulatedEpisode(name, start, start + FAULT_SECONDS, start + FAULT_SECONDS + 300, severity, 0.0, 0.2, drawn)


def summary(rows: pl.DataFrame, start: float, end: float) -> dict[str, float]:
    """Attempts a minute and shares of outcomes of the rows that start in [start, end), by direction and method."""
    since = (pl.col("start") - START).dt.total_microseconds() / 1e6
    inside = rows.filter((since >= start) & (since < end))
    status, minutes = pl.col("status").fill_null(0), (end - start) / 60
    figures: dict[str, float] = {"users": inside["user"].n_unique()}
    for direction, method, *values in (
        inside.group_by("direction", "method")
        .agg(
            pl.len() / minutes,
            status.is_between(200, 299).mean().alias("ok"),
            status.is_in([401, 407]).mean().alias("challenged"),
            (status.is_between(500, 599) | status.is_in([0, 403, 404, 408, 478, 480, 488])).mean().alias("failed"),
            status.is_in([0, 408]).mean().alias("timeout"),
            pl.col("retransmissions").mean(),
            pl.col("response_retransmissions").mean().alias("answers again"),
            ((pl.col("completion") - pl.col("start")).dt.total_microseconds().median() / 1e6).alias("delay"),
        )
        .rows()
    ):
        names = ("attempts", "ok", "challenged", "failed", "timeout", "again", "answers again", "delay")
        figures |= {f"{direction} {method} {name}": value for name, value in zip(names, values, strict=True)}
    return figures


@pytest.fixture
def before_and_during() -> Figures:
    """(name, severity, seed, start, draws) → statistics of the hour before the fault, and of the fault after its first minute."""

    def figures(
        name: str, severity: float, seed: int, start: float = FAULT_START, **draws: Any
    ) -> tuple[dict[str, float], dict[str, float]]:
        scenario = make_scenario(seed)
        fault = episode(name, scenario, severity, seed, start, **draws)
        rows = run_episodes(scenario, [fault], START, np.random.default_rng(seed), disturbances_per_day=0)
        return summary(rows, start - 3600, start), summary(rows, start + 60, start + FAULT_SECONDS)

    return figures
