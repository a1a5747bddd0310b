"""The demo: learn from simulated networks, name the faults of others that were never seen, and say how well that went."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from faultprint import storage
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.embedding.model import Model, load_model
from faultprint.errors import UsageError
from faultprint.features.minutes import build
from faultprint.files import replacing
from faultprint.reports import html
from faultprint.tables import LABELS, MINUTES, VERDICTS
from faultprint.training.train import train
from faultprint_lab.baselines.compare import PERSISTENCE, FittedBaselines, TrainingSplit, split_networks
from faultprint_lab.baselines.recorded import Recorded, Tables, joined
from faultprint_lab.baselines.recorded import read as read_recorded
from faultprint_lab.demo.attack import Recognition, recognise
from faultprint_lab.demo.comparison import Comparison, compare_systems
from faultprint_lab.demo.console import episode_table, figure_table
from faultprint_lab.demo.report import page
from faultprint_lab.locations import BEDS, DATA, others
from faultprint_lab.simulate.run import simulate
from faultprint_lab.simulate.workers import pool

PRESETS: Final = ("default", "posts")
CAPTURE: Final = "captures/SIP-Bruteforce-Single-IP.pcap"
"""Within the folder of other people's data sets (`locations.others`)."""
_BED: Final = "Hours recorded on a real IMS, with faults injected where they happen, of each of these networks"
START: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""A Monday morning: Faultprint is started in working hours, and its first hour is the node's normal."""
FIGURES: Final = (
    "macro_f1",
    "macro_f1_exposed",
    "false_alarms_per_day",
    "episodes_found",
    "delay_median_minutes",
    "delay_p90_minutes",
    "clearing_median_minutes",
    "lost_early",
)
TRAINING: Final = ("training-minutes.parquet", "training-labels.parquet")
_KEPT: Final = 4000
_UNSEEN: Final = 5000
"""Numbers of the first network kept for the thresholds, and of the first to meet: far from those that are trained on."""


@dataclass(frozen=True, slots=True)
class DemoSize:
    """How much traffic is simulated, and for how many seconds of one core each system may learn.

    Networks to learn from have more episodes a day than others, each with ways of its own: the more ways of each fault are
    seen. Thresholds are set on networks `kept` for it that are like those to meet.
    """

    networks: int = 36
    episodes_a_day: float = 9
    kept: int = 12
    unseen: int = 3
    days: float = 2
    seconds: float = 70


def demo(
    out: Path,
    *,
    seed: int = 1,
    scale: DemoSize | None = None,
    capture: Path | None = None,
    beds: Path | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run it all, leaving report.html and figures.json (and what they were made from) in `out`.

    `capture`: the real capture (`evaluate.attack`); without it the one at CAPTURE, if it is there. `beds`: the data set
    recorded on the test bed, which adds report-bed.html; without it the one at BEDS, if it is there. `say` takes lines
    for people. Returns the contents of figures.json. Raises the stages' errors.
    """
    began = time.monotonic()
    scale = scale or DemoSize()
    out.mkdir(parents=True, exist_ok=True)
    bed = _bed(beds, say)
    learn, keep, meet = _traffic(out, seed, scale, bed, say)
    training = _models(out, seed, scale, say)
    models = dict([next(training)])
    taught = split_networks(*learn, models["default"], seed)
    lessons = TrainingSplit(taught.taught, taught.taught_labels, *keep)
    minutes, labels = meet
    now = datetime.now(UTC)
    with ThreadPoolExecutor(1) as beside:
        known = [(lessons.taught, lessons.taught_labels), *([bed.train] if bed else [])]
        say(f"Training LightGBM ({scale.seconds:g} s at most, one core) and 1-NN on summaries of the same windows …")
        learning = beside.submit(
            FittedBaselines.of, *joined(*known), models["default"], seed=seed, max_seconds=scale.seconds, threads=1
        )
        models |= dict(training)
        result = compare_systems(models, lessons, minutes, labels, out, students=learning.result, now=now, say=say)
        _tell(result, say)
        real_ims = _meet_bed(bed, models, out, learning.result, now, say) if bed else None
    with Library.open(out / "default.db") as library:
        _identify(models["default"], library, minutes, out)
        real = _capture(capture, models["default"], library, minutes, keep, out, now)
    for line in (real,) if isinstance(real, str) else (*real.lines(), ""):
        say(line)
    seconds = round(time.monotonic() - began, 1)
    found: dict[str, Any] = {"seed": seed, "seconds": seconds} | _figures(result)
    if bed and real_ims:
        found["recorded"] = _figures(real_ims)
        networks = [place.series.network for place in real_ims.places]
        data = page(real_ims, bed.report[1], None, traffic=_BED, seed=seed, seconds=seconds)
        html.write(data, out / "report-bed.html")
        found["recorded"] |= {"networks": networks, "minutes": len(bed.report[0])}
    recognition = None if isinstance(real, str) else real
    simulated = f"{scale.days:g} simulated days of each of these networks"
    data = page(result, labels, recognition, traffic=simulated, seed=seed, seconds=seconds)
    html.write(data, out / "report.html")
    with replacing(out / "figures.json") as temporary:
        temporary.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if real_ims:
        say(f"The report on the test bed's networks is {out / 'report-bed.html'}.")
    say(f"The report is {out / 'report.html'}, the figures are in {out / 'figures.json'} ({seconds:.0f} s in all).")
    return found


def _tell(result: Comparison, say: Callable[[str], None]) -> None:
    for line in ("", *episode_table(result.outcomes[0].figures.outcomes), "", *figure_table(result.outcomes), ""):
        say(line)


def _figures(result: Comparison) -> dict[str, dict[str, Any]]:
    """FIGURES of every system, and those of each condition."""
    return {
        outcome.name: {name: outcome.figures.summary()[name] for name in FIGURES}
        | {"conditions": outcome.figures.by_condition()}
        for outcome in result.outcomes
    }


def _bed(beds: Path | None, say: Callable[[str], None]) -> Recorded | None:
    """The recorded data set, or a line why there is none."""
    folder = beds or BEDS
    if not folder.exists():
        if beds:
            raise UsageError(f"There is no data set {folder}; give the folder that `faultprint testbed record` made.")
        say(f"The test bed's recording is left out: {folder} is not here (give its folder with --beds).")
        return None
    return read_recorded(folder)


def _meet_bed(
    bed: Recorded,
    models: Mapping[str, Model],
    out: Path,
    students: Callable[[], FittedBaselines],
    now: datetime,
    say: Callable[[str], None],
) -> Comparison:
    """The same contest on the recorded networks to report on: taught by others of them, thresholds set on yet others."""
    minutes, labels = bed.report
    networks = sorted(str(name) for name in minutes["network"].unique())
    say(f"Now the test bed, a real IMS: {len(minutes) / 60:.0f} hours of {', '.join(networks)}, never trained on.")
    folder = out / "bed"
    folder.mkdir(exist_ok=True)
    lessons = TrainingSplit(*bed.train, *bed.choose)
    result = compare_systems(models, lessons, minutes, labels, folder, students=students, now=now, say=say)
    _tell(result, say)
    return result


def _identify(model: Model, library: Library, minutes: pl.DataFrame, out: Path) -> None:
    """The verdicts as the command `identify` gives them, for whoever wants to look at every minute."""
    verdicts = identify(minutes, model, library, persistence=PERSISTENCE)
    storage.write(verdicts, VERDICTS, out / "verdicts.parquet")


def _capture(
    capture: Path | None,
    model: Model,
    library: Library,
    minutes: pl.DataFrame,
    kept: tuple[pl.DataFrame, pl.DataFrame],
    out: Path,
    now: datetime,
) -> Recognition | str:
    """What was recognised in the real capture, or why there is nothing to say."""
    path = capture or others(CAPTURE)
    if path is None or not path.exists():
        if capture:
            raise UsageError(f"There is no capture {capture}; give the path of SIP-Bruteforce-Single-IP.pcap.")
        return f"The real capture is skipped; give its path with --capture, or its folder in {DATA}."
    key = secrets.token_bytes(32)  # nothing is compared across runs, so nobody need know it
    return recognise(path, model, library, minutes, kept, out, key=key, persistence=PERSISTENCE, now=now)


def _traffic(
    out: Path, seed: int, scale: DemoSize, bed: Recorded | None, say: Callable[[str], None]
) -> tuple[Tables, Tables, Tables]:
    """Minutes and labels of the simulated networks to learn from, of those kept for the thresholds, and of those to meet.

    What the presets train on lies in `out` then: the networks to learn from, and those that the bed has for training.
    """
    tables = []
    learning = {"episodes_per_day": scale.episodes_a_day, "varied": True}
    plans: tuple[tuple[str, int, int, dict[str, Any]], ...] = (
        ("learn", scale.networks, 0, learning),
        ("keep", scale.kept, _KEPT, {}),
        ("meet", scale.unseen, _UNSEEN, {}),
    )
    for name, networks, first, ways in plans:
        say(f"Simulating {networks} networks to {name} for {scale.days:g} days and describing every minute …")
        folder = out / name
        simulate(
            folder,
            networks=networks,
            days=scale.days,
            seed=seed,
            first=first,
            start=START,
            workers=os.cpu_count() or 1,
            **ways,
        )
        build(folder / "transactions.parquet", folder / "minutes.parquet")
        tables.append(
            (storage.read(folder / "minutes.parquet", MINUTES), storage.read(folder / "labels.parquet", LABELS))
        )
    for table, name, frame in zip(
        (MINUTES, LABELS), TRAINING, joined(tables[0], *([bed.train] if bed else [])), strict=True
    ):
        storage.write(frame, table, out / name)
    return tables[0], tables[1], tables[2]


def _models(out: Path, seed: int, scale: DemoSize, say: Callable[[str], None]) -> Iterator[tuple[str, Model]]:
    """Both presets, trained side by side for the same seconds, a core each, as soon as each is ready.

    A recurrent one takes the longer to measure for its own calibration, once trained.
    """
    say(f"Training both presets side by side, {scale.seconds:g} s each, on {scale.networks} networks …")
    with pool(len(PRESETS)) as workers:
        jobs = {preset: workers.submit(_train, out, preset, seed, scale.seconds) for preset in PRESETS}
        for preset, job in jobs.items():
            say(f"  {preset}: {job.result()}")
            yield preset, load_model(out / f"{preset}.faultprint", threads=1)


def _train(out: Path, preset: str, seed: int, seconds: float) -> str:
    minutes, labels = (storage.read(out / name, table) for table, name in zip((MINUTES, LABELS), TRAINING, strict=True))
    told = train(minutes, labels, out / f"{preset}.faultprint", preset=preset, seed=seed, max_seconds=seconds)
    return f"{told.windows_per_second:,.0f} windows/s, macro-F1 {told.score:.2f} on the networks held out"
