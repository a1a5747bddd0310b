"""Networks → transactions.parquet and labels.parquet."""

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
from faultprint.tables import COVERAGE_KEY, LABELS
from faultprint_lab.simulate.disturbances import A_DAY, draw_disturbances
from faultprint_lab.simulate.faults.fault import SimulatedFault
from faultprint_lab.simulate.faults.table import FAULTS, faults_of
from faultprint_lab.simulate.network.networks import SimulatedNetwork, draw_network
from faultprint_lab.simulate.network.population import draw_population
from faultprint_lab.simulate.network.rates import draw_curve
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.schedule import draw_episodes, labels
from faultprint_lab.simulate.traffic.answers import draw_reactions
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable
from faultprint_lab.simulate.traffic.legs import to_rows
from faultprint_lab.simulate.traffic.traffic import TrafficEvent, generate
from faultprint_lab.simulate.workers import pool

START: Final = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What was written: rows of transactions, networks, days of each, episodes by fault, seconds that it took."""

    rows: int
    networks: int
    days: float
    episodes: dict[str, int]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def network_of(index: int, seed: int, load: float = 1.0) -> SimulatedNetwork:
    """Network `index` of `seed`, whatever other networks there are."""
    return draw_network(index, np.random.default_rng(_seeds(index, seed)[0]), load)


def simulate_network(
    index: int,
    days: float,
    seed: int,
    *,
    episodes_per_day: float = 5.0,
    disturbances_per_day: float = A_DAY,
    start: datetime = START,
    load: float = 1.0,
    varied: bool = False,
    strange: int = 0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Transactions (in order of start) and labels of one network, in memory; `varied` and `strange` as in `simulate`.

    Raises UsageError.
    """
    _check(index, days, seed, episodes_per_day, load, start, strange)
    faults = faults_of(strange)
    _, place_seed, plan_seed, way_seed, traffic_seed = _seeds(index, seed)
    world = build_scenario(network_of(index, seed, load), days, start, np.random.default_rng(place_seed))
    rng = np.random.default_rng(plan_seed)
    episodes = draw_episodes(world, episodes_per_day, way_seed, rng, varied=varied, faults=faults)
    chance = np.random.default_rng(traffic_seed)
    rows = run_episodes(world, episodes, start, chance, disturbances_per_day, varied=varied, faults=faults)
    return rows, labels(episodes, world, start)


def build_scenario(network: SimulatedNetwork, days: float, start: datetime, rng: np.random.Generator) -> Scenario:
    """A network with subscribers and a daily curve for `days`."""
    span = days * 86_400
    curve = draw_curve(network.load, start, span, rng)
    return Scenario(network, draw_population(network, curve, rng), curve)


def run_episodes(
    world: Scenario,
    episodes: list[SimulatedEpisode],
    start: datetime,
    rng: np.random.Generator,
    disturbances_per_day: float = A_DAY,
    *,
    varied: bool = False,
    faults: Mapping[str, SimulatedFault] = FAULTS,
) -> pl.DataFrame:
    """The transactions of a world in which `episodes` come to pass; if `varied`, equipment answers otherwise in each."""
    events: list[TrafficEvent] = []
    injected: list[ExchangeTable] = []
    for disturbance, moment in draw_disturbances(world.span, rng, disturbances_per_day):
        if disturbance.effect:
            events.append(TrafficEvent(moment, disturbance.effect, world))
        if disturbance.inject:
            injected.append(disturbance.inject(moment, world, rng))
    for episode, chance in zip(episodes, rng.spawn(len(episodes)), strict=True):
        fault = faults[episode.fault]
        events.append(TrafficEvent(episode, fault.effect, _elsewhere(world, chance) if varied else world))
        if fault.inject:
            injected.append(fault.inject(episode, world, rng))
    return to_rows(generate(world, events, injected, rng), world, start, rng)


def _elsewhere(world: Scenario, rng: np.random.Generator) -> Scenario:
    """The same world with the equipment of another network."""
    return replace(world, network=replace(world.network, answers=draw_reactions(rng)))


def simulate(
    out: Path,
    *,
    networks: int,
    days: float,
    seed: int,
    first: int = 0,
    episodes_per_day: float = 5.0,
    varied: bool = False,
    strange: int = 0,
    start: datetime = START,
    load: float = 1.0,
    workers: int = 1,
    progress: Progress | None = None,
) -> SimulationReport:
    """Write out/transactions.parquet and out/labels.parquet of networks `first` to `first + networks − 1`.

    Rows are in order of node and start. Each of `workers` processes holds one network in memory (about 0.5 kB a row, so
    that a busy one takes 1 GB a week); how many there are changes nothing in what is written. Both files appear, or
    neither does. If `varied`, each episode has ways of its own, as if equipment of another network were there: more to
    learn from, but no network is like that. So many `strange` faults, which nobody has named, take the named ones' place.
    `progress` gets (networks done, networks). Raises UsageError.
    """
    began = time.monotonic()
    if networks < 1:
        raise UsageError(f"{networks} networks cannot be simulated; ask for at least 1.")
    _check(first, days, seed, episodes_per_day, load, start, strange)
    _make_folder(out)
    indices = sorted(range(first, first + networks), key=lambda index: network_of(index, seed).node)
    coverage = [_coverage(network_of(index, seed), days, start) for index in indices]
    truths, rows = [], 0
    with tempfile.TemporaryDirectory(prefix=".simulate.", dir=out) as folder:
        parts = [Path(folder) / f"{index:06d}.parquet" for index in indices]
        make = partial(
            _write_part,
            days=days,
            seed=seed,
            episodes_per_day=episodes_per_day,
            varied=varied,
            strange=strange,
            start=start,
            load=load,
        )
        for done, (height, truth) in enumerate(_each(make, indices, parts, min(workers, networks)), 1):
            truths.append(truth)
            rows += height
            if progress:
                progress(done, networks)
        with replacing(out / "transactions.parquet") as temporary:
            pl.scan_parquet(parts, glob=False).sink_parquet(
                temporary, compression="zstd", maintain_order=True, metadata={COVERAGE_KEY: json.dumps(coverage)}
            )
            storage.write(pl.concat(truths), LABELS, out / "labels.parquet")
    faults = Counter(word for truth in truths for word in truth["condition"].to_list())
    return SimulationReport(
        rows, networks, days, {name: faults[name] for name in faults_of(strange)}, time.monotonic() - began
    )


def _write_part(index: int, path: Path, **how: Any) -> tuple[int, pl.DataFrame]:
    """Simulate one network, leave its rows at `path`, and return their number and the labels."""
    part, truth = simulate_network(index, **how)
    part.write_parquet(path, compression="lz4", statistics=False)
    return part.height, truth


def _each(
    make: Callable[[int, Path], tuple[int, pl.DataFrame]], indices: Sequence[int], parts: Sequence[Path], workers: int
) -> Iterator[tuple[int, pl.DataFrame]]:
    """What `make` returns for each network, in order, by as many processes."""
    if workers <= 1:
        yield from map(make, indices, parts)
        return
    with pool(workers) as processes:
        yield from processes.map(make, indices, parts)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be made a folder ({error.strerror}); give another one.") from error
    if not os.access(out, os.W_OK):
        raise UsageError(f"{out} cannot be written to; give another folder.")


def _seeds(index: int, seed: int) -> list[np.random.SeedSequence]:
    """Five independent seeds of a network that depend on nothing but (seed, index)."""
    return np.random.SeedSequence(seed, spawn_key=(index,)).spawn(5)


def _coverage(network: SimulatedNetwork, days: float, start: datetime) -> list[Any]:
    begin = round(start.timestamp() * 1e6)
    return [network.node, network.name, begin, begin + round(days * 86_400 * 1e6)]


def _check(
    index: int, days: float, seed: int, episodes_per_day: float, load: float, start: datetime, strange: int
) -> None:
    if not 0 <= strange <= 1000:
        raise UsageError(f"There are no {strange} strange faults; ask for 0 to 1000.")
    if not 0 < days <= 100:
        raise UsageError(f"{days:g} days cannot be simulated; give more than 0 and at most 100.")
    if seed < 0:
        raise UsageError(f"{seed} is no seed; give 0 or more.")
    if index < 0:
        raise UsageError(f"{index} is no number of a network; count from 0.")
    if not 0 <= episodes_per_day <= 100:
        raise UsageError(f"{episodes_per_day:g} episodes a day are impossible; give a number from 0 on, such as 5.")
    if not 0 < load <= 100:
        raise UsageError(f"load {load:g} cannot be simulated; give a factor above 0 and at most 100.")
    if start.utcoffset() != timedelta(0):
        raise UsageError(f"start {start.isoformat()} is not in UTC; give a time with a zero offset.")
