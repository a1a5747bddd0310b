"""Simulate networks: transactions.parquet and labels.parquet."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from faultprint import storage
from faultprint.errors import UsageError
from faultprint.files import replacing
from faultprint.progress import Progress
from faultprint.tables import COVERAGE_KEY, LABELS
from faultprint.units import DAY_US, microseconds
from faultprint_lab.simulate.disturbances import DISTURBANCES_PER_DAY, draw_disturbances
from faultprint_lab.simulate.faults.fault import SimulatedFault
from faultprint_lab.simulate.faults.table import FAULTS, fault_table
from faultprint_lab.simulate.network.failure_responses import draw_failure_responses
from faultprint_lab.simulate.network.load_curve import draw_load_curve
from faultprint_lab.simulate.network.network import SimulatedNetwork, draw_network
from faultprint_lab.simulate.network.subscribers import draw_subscribers
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.schedule import draw_episodes, labels
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable
from faultprint_lab.simulate.traffic.legs import to_rows
from faultprint_lab.simulate.traffic.traffic import TrafficEvent, generate_traffic
from faultprint_lab.simulate.workers import pool

START: Final = datetime(2026, 1, 5, tzinfo=UTC)
"""Start of the span by default: a Monday."""


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What a simulation wrote.

    rows       transactions
    networks   networks
    days       days of each network
    episodes   number of episodes by fault
    seconds    run time
    """

    rows: int
    networks: int
    days: float
    episodes: dict[str, int]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        return asdict(self)


def network_of(index: int, seed: int, load: float = 1.0) -> SimulatedNetwork:
    """Network `index` of `seed`; it does not depend on the other networks."""
    return draw_network(index, np.random.default_rng(_seeds(index, seed)[0]), load)


def simulate_network(
    index: int,
    days: float,
    seed: int,
    *,
    episodes_per_day: float = 5.0,
    disturbances_per_day: float = DISTURBANCES_PER_DAY,
    start: datetime = START,
    load: float = 1.0,
    vary_episodes: bool = False,
    random_faults: int = 0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Transactions (in order of start) and labels of one network, in memory. Options as in `simulate`.

    Raises UsageError.
    """
    _check(index, days, seed, episodes_per_day, load, start, random_faults)
    faults = fault_table(random_faults)
    _, subscriber_seed, plan_seed, fault_seed, traffic_seed = _seeds(index, seed)
    scenario = build_scenario(network_of(index, seed, load), days, start, np.random.default_rng(subscriber_seed))
    rng = np.random.default_rng(plan_seed)
    episodes = draw_episodes(scenario, episodes_per_day, fault_seed, rng, vary_episodes=vary_episodes, faults=faults)
    rows = run_episodes(
        scenario,
        episodes,
        start,
        np.random.default_rng(traffic_seed),
        disturbances_per_day,
        vary_episodes=vary_episodes,
        faults=faults,
    )
    return rows, labels(episodes, scenario, start)


def build_scenario(network: SimulatedNetwork, days: float, start: datetime, rng: np.random.Generator) -> Scenario:
    """A network with subscribers and a load curve for `days`."""
    span = days * 86_400
    curve = draw_load_curve(network.load, start, span, rng)
    return Scenario(network, draw_subscribers(network, curve, rng), curve)


def run_episodes(
    scenario: Scenario,
    episodes: list[SimulatedEpisode],
    start: datetime,
    rng: np.random.Generator,
    disturbances_per_day: float = DISTURBANCES_PER_DAY,
    *,
    vary_episodes: bool = False,
    faults: Mapping[str, SimulatedFault] = FAULTS,
) -> pl.DataFrame:
    """The transactions of a scenario in which `episodes` occur.

    With `vary_episodes` the equipment responds differently in each episode.
    """
    events: list[TrafficEvent] = []
    injected: list[ExchangeTable] = []
    for disturbance, period in draw_disturbances(scenario.span, rng, disturbances_per_day):
        if disturbance.effect:
            events.append(TrafficEvent(period, disturbance.effect, scenario))
        if disturbance.inject:
            injected.append(disturbance.inject(period, scenario, rng))
    for episode, episode_rng in zip(episodes, rng.spawn(len(episodes)), strict=True):
        fault = faults[episode.fault]
        varied = _with_other_equipment(scenario, episode_rng) if vary_episodes else scenario
        events.append(TrafficEvent(episode, fault.effect, varied))
        if fault.inject:
            injected.append(fault.inject(episode, scenario, rng))
    return to_rows(generate_traffic(scenario, events, injected, rng), scenario, start, rng)


def _with_other_equipment(scenario: Scenario, rng: np.random.Generator) -> Scenario:
    """The same scenario with the failure responses of another network's equipment."""
    return replace(scenario, network=replace(scenario.network, failure_responses=draw_failure_responses(rng)))


def simulate(
    out: Path,
    *,
    networks: int,
    days: float,
    seed: int,
    first_network: int = 0,
    episodes_per_day: float = 5.0,
    vary_episodes: bool = False,
    random_faults: int = 0,
    start: datetime = START,
    load: float = 1.0,
    workers: int = 1,
    progress: Progress | None = None,
) -> SimulationReport:
    """Write out/transactions.parquet and out/labels.parquet of `networks` networks, numbered from `first_network`.

    Rows are in order of node and start. Both files appear, or neither. The number of `workers` does not change the
    output; each worker process holds one network in memory (about 0.5 kB a row, so 1 GB for a busy network and week).

    vary_episodes   draw the equipment's behaviour for each episode, not once a network. No real network is like
                    that, but training sees more variety.
    random_faults   number of randomly generated faults that replace the named ones; 0: the named ones
    progress        called with (networks done, networks)

    Raises UsageError.
    """
    began = time.monotonic()
    if networks < 1:
        raise UsageError(f"{networks} networks cannot be simulated; ask for at least 1.")
    _check(first_network, days, seed, episodes_per_day, load, start, random_faults)
    _make_folder(out)
    numbers = range(first_network, first_network + networks)
    indices = sorted(numbers, key=lambda index: network_of(index, seed).node)
    coverage = [_coverage(network_of(index, seed), days, start) for index in indices]
    label_tables, rows = [], 0
    with tempfile.TemporaryDirectory(prefix=".simulate.", dir=out) as folder:
        parts = [Path(folder) / f"{index:06d}.parquet" for index in indices]
        write_part = partial(
            _write_part,
            days=days,
            seed=seed,
            episodes_per_day=episodes_per_day,
            vary_episodes=vary_episodes,
            random_faults=random_faults,
            start=start,
            load=load,
        )
        written = _map_in_processes(write_part, indices, parts, min(workers, networks))
        for done, (height, label_table) in enumerate(written, 1):
            label_tables.append(label_table)
            rows += height
            if progress:
                progress(done, networks)
        with replacing(out / "transactions.parquet") as temporary:
            pl.scan_parquet(parts, glob=False).sink_parquet(
                temporary, compression="zstd", maintain_order=True, metadata={COVERAGE_KEY: json.dumps(coverage)}
            )
            storage.write(pl.concat(label_tables), LABELS, out / "labels.parquet")
    counts = Counter(condition for table in label_tables for condition in table["condition"].to_list())
    episodes = {name: counts[name] for name in fault_table(random_faults)}
    return SimulationReport(rows, networks, days, episodes, time.monotonic() - began)


def _write_part(index: int, path: Path, **options: Any) -> tuple[int, pl.DataFrame]:
    """Simulate one network, write its rows to `path`, and return their number and the labels."""
    rows, label_table = simulate_network(index, **options)
    rows.write_parquet(path, compression="lz4", statistics=False)
    return rows.height, label_table


def _map_in_processes(
    write_part: Callable[[int, Path], tuple[int, pl.DataFrame]],
    indices: Sequence[int],
    parts: Sequence[Path],
    workers: int,
) -> Iterator[tuple[int, pl.DataFrame]]:
    """The results of `write_part` for each network, in order, computed by `workers` processes."""
    if workers <= 1:
        yield from map(write_part, indices, parts)
        return
    with pool(workers) as processes:
        yield from processes.map(write_part, indices, parts)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be made a folder ({error.strerror}); give another folder.") from error
    if not os.access(out, os.W_OK):
        raise UsageError(f"{out} is not writable; give another folder.")


def _seeds(index: int, seed: int) -> list[np.random.SeedSequence]:
    """Five independent seeds of a network; they depend on (seed, index) only."""
    return np.random.SeedSequence(seed, spawn_key=(index,)).spawn(5)


def _coverage(network: SimulatedNetwork, days: float, start: datetime) -> list[Any]:
    begin = microseconds(start)
    return [network.node, network.name, begin, begin + round(days * DAY_US)]


def _check(
    index: int, days: float, seed: int, episodes_per_day: float, load: float, start: datetime, random_faults: int
) -> None:
    if not 0 <= random_faults <= 1000:
        raise UsageError(f"{random_faults} random faults cannot be simulated; give a number from 0 to 1000.")
    if not 0 < days <= 100:
        raise UsageError(f"{days:g} days cannot be simulated; give more than 0 and at most 100.")
    if seed < 0:
        raise UsageError(f"Seed {seed} is negative; give 0 or more.")
    if index < 0:
        raise UsageError(f"Network number {index} is negative; count from 0.")
    if not 0 <= episodes_per_day <= 100:
        raise UsageError(f"{episodes_per_day:g} episodes per day are not possible; give a number from 0 to 100.")
    if not 0 < load <= 100:
        raise UsageError(f"Load {load:g} cannot be simulated; give a factor above 0 and at most 100.")
    if start.utcoffset() != timedelta(0):
        raise UsageError(f"Start {start.isoformat()} is not in UTC; give a time with a zero offset.")
