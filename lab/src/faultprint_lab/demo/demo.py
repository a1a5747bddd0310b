"""The demo: train on simulated networks, identify the faults of others that were never seen, and score the verdicts."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from faultprint import storage
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.embedding.model import Model, load_model
from faultprint.errors import UsageError
from faultprint.features.minutes import read_minutes
from faultprint.files import replacing
from faultprint.reports import html
from faultprint.tables import LABELS, VERDICTS
from faultprint.training.config import TrainingConfig
from faultprint.training.train import train
from faultprint_lab.baselines.compare import CONFIRM_MINUTES, FittedBaselines, TrainingSplit, split_networks
from faultprint_lab.baselines.recorded import Recorded, joined
from faultprint_lab.baselines.recorded import read as read_recorded
from faultprint_lab.demo.attack import Recognition, recognise
from faultprint_lab.demo.comparison import Comparison, compare_systems
from faultprint_lab.demo.console import episode_table, figure_table
from faultprint_lab.demo.report import page
from faultprint_lab.demo.traffic import TRAINING_LABELS, TRAINING_MINUTES, DemoSize, DemoTraffic, simulate_traffic
from faultprint_lab.locations import DATA_VARIABLE, TESTBED_DATA, external_data
from faultprint_lab.simulate.workers import pool

PRESETS: Final = ("default", "reference-lstm")
CAPTURE: Final = "captures/SIP-Bruteforce-Single-IP.pcap"
"""The capture in the folder of external data sets (`locations.external_data`)."""
_TESTBED_TRAFFIC: Final = "Hours recorded on a real IMS, with injected faults, of each of these networks"
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


def demo(
    out: Path,
    *,
    seed: int = 1,
    size: DemoSize | None = None,
    capture: Path | None = None,
    testbed_data: Path | None = None,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run everything, and leave report.html, figures.json and all intermediate files in `out`.

    `capture`: the real capture (`demo.attack`); default: CAPTURE, if it is there. `testbed_data`: the data set recorded on
    the test bed, which adds report-testbed.html; default: TESTBED_DATA, if it is there. `log` takes lines for the
    terminal. Returns the contents of figures.json. Raises UsageError for a given path that does not exist, before any
    work, and the errors of the stages.
    """
    began = time.monotonic()
    size = size or DemoSize()
    found_capture = find_capture(capture)
    testbed = read_testbed(testbed_data, log)
    out.mkdir(parents=True, exist_ok=True)
    traffic = simulate_traffic(out, seed, size, testbed, log)
    models, simulated, recorded = _compare(out, seed, size, traffic, testbed, log)
    with Library.open(out / "default.db") as library:
        _identify(models["default"], library, traffic, out)
        recognition = _recognise(found_capture, models["default"], library, traffic, out)
    _log_recognition(recognition, log)
    seconds = round(time.monotonic() - began, 1)
    figures: dict[str, Any] = {"seed": seed, "seconds": seconds} | _figures(simulated)
    if testbed and recorded:
        networks = [scope.series.network for scope in recorded.scopes]
        figures["recorded"] = _figures(recorded) | {"networks": networks, "minutes": len(testbed.test[0])}
        data = page(recorded, testbed.test[1], None, traffic=_TESTBED_TRAFFIC, seed=seed, seconds=seconds)
        html.write(data, out / "report-testbed.html")
        log(f"The report on the networks of the test bed is {out / 'report-testbed.html'}.")
    description = f"{size.days:g} simulated days of each of these networks"
    data = page(simulated, traffic.test[1], recognition, traffic=description, seed=seed, seconds=seconds)
    html.write(data, out / "report.html")
    with replacing(out / "figures.json") as temporary:
        temporary.write_text(json.dumps(figures, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    log(f"The report is {out / 'report.html'}, the figures are in {out / 'figures.json'} ({seconds:.0f} s in total).")
    return figures


def find_capture(capture: Path | None) -> Path | None:
    """The given capture, or CAPTURE if it is there. Raises UsageError where the given one does not exist."""
    if capture:
        if not capture.is_file():
            raise UsageError(f"There is no capture {capture}; give the path of SIP-Bruteforce-Single-IP.pcap.")
        return capture
    path = external_data(CAPTURE)
    return path if path and path.is_file() else None


def read_testbed(folder: Path | None, log: Callable[[str], None]) -> Recorded | None:
    """The recorded data set; None, and a line about it, if the default folder does not exist.

    Raises UsageError where the given folder does not exist.
    """
    chosen = folder or TESTBED_DATA
    if chosen.exists():
        return read_recorded(chosen)
    if folder:
        raise UsageError(f"There is no data set {folder}; give the folder that `faultprint testbed record` made.")
    log(f"The test bed is skipped: {chosen} does not exist. Give another folder with --testbed-data.")
    return None


def _compare(
    out: Path,
    seed: int,
    size: DemoSize,
    traffic: DemoTraffic,
    testbed: Recorded | None,
    log: Callable[[str], None],
) -> tuple[dict[str, Model], Comparison, Comparison | None]:
    """(trained models by preset, the comparison on simulated networks, the comparison on the test bed)."""
    training = _train_presets(out, seed, size, log)
    models = dict([next(training)])
    split = split_networks(*traffic.train, models["default"], seed)
    split = TrainingSplit(split.train, split.train_labels, *traffic.calibration)
    now = datetime.now(UTC)
    with ThreadPoolExecutor(1) as executor:
        tables = joined((split.train, split.train_labels), *([testbed.train] if testbed else []))
        log(f"Training LightGBM (up to {size.seconds:g} s of one core) and 1-NN on summaries of the same windows …")
        fitting = executor.submit(
            FittedBaselines.fit, *tables, models["default"], seed=seed, max_seconds=size.seconds, threads=1
        )
        models |= dict(training)
        simulated = compare_systems(models, split, *traffic.test, out, baselines=fitting.result, now=now, log=log)
        _log_comparison(simulated, log)
        if testbed is None:
            return models, simulated, None
        recorded = compare_on_testbed(testbed, models, out, fitting.result, now, log)
    return models, simulated, recorded


def compare_on_testbed(
    testbed: Recorded,
    models: Mapping[str, Model],
    out: Path,
    baselines: Callable[[], FittedBaselines],
    now: datetime,
    log: Callable[[str], None],
) -> Comparison:
    """The same comparison on recorded networks: references, thresholds and scores are each from other networks."""
    minutes, labels = testbed.test
    networks = sorted(str(name) for name in minutes["network"].unique())
    log(f"The test bed, a real IMS: {len(minutes) / 60:.0f} hours of {', '.join(networks)}, not used in training.")
    folder = out / "testbed"
    folder.mkdir(exist_ok=True)
    split = TrainingSplit(*testbed.train, *testbed.validation)
    comparison = compare_systems(models, split, minutes, labels, folder, baselines=baselines, now=now, log=log)
    _log_comparison(comparison, log)
    return comparison


def _train_presets(out: Path, seed: int, size: DemoSize, log: Callable[[str], None]) -> Iterator[tuple[str, Model]]:
    """The presets in parallel, on one core each; yields each as soon as it and those before it are ready."""
    log(f"Training both presets in parallel, {size.seconds:g} s each, on {size.networks} networks …")
    with pool(len(PRESETS)) as workers:
        jobs = {preset: workers.submit(_train, out, preset, seed, size.seconds) for preset in PRESETS}
        for preset, job in jobs.items():
            log(f"  {preset}: {job.result()}")
            yield preset, load_model(out / f"{preset}.faultprint", threads=1)


def _train(out: Path, preset: str, seed: int, seconds: float) -> str:
    minutes = read_minutes(out / TRAINING_MINUTES).frame
    labels = storage.read(out / TRAINING_LABELS, LABELS)
    result = train(
        minutes, labels, out / f"{preset}.faultprint", TrainingConfig(preset=preset, seed=seed, max_seconds=seconds)
    )
    return f"{result.windows_per_second:,.0f} windows/s, macro-F1 {result.score:.2f} on the held-out networks"


def _identify(model: Model, library: Library, traffic: DemoTraffic, out: Path) -> None:
    """Write the verdicts of the command `identify` on the test networks."""
    verdicts = identify(traffic.test[0], model, library, persistence=CONFIRM_MINUTES)
    storage.write(verdicts, VERDICTS, out / "verdicts.parquet")


def _recognise(
    capture: Path | None, model: Model, library: Library, traffic: DemoTraffic, out: Path
) -> Recognition | None:
    if capture is None:
        return None
    key = secrets.token_bytes(32)  # pseudonyms are not compared between runs, so the key is not kept
    return recognise(
        capture,
        model,
        library,
        traffic.test[0],
        traffic.calibration,
        out,
        key=key,
        persistence=CONFIRM_MINUTES,
        now=datetime.now(UTC),
    )


def _log_recognition(recognition: Recognition | None, log: Callable[[str], None]) -> None:
    if recognition is None:
        log(f"The real capture is skipped; give its path with --capture, or its folder in {DATA_VARIABLE}.")
        return
    for line in (*recognition.lines(), ""):
        log(line)


def _log_comparison(comparison: Comparison, log: Callable[[str], None]) -> None:
    episodes = comparison.results[0].figures.outcomes
    for line in ("", *episode_table(episodes), "", *figure_table(comparison.results), ""):
        log(line)


def _figures(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """FIGURES of every system, and the figures of each condition."""
    return {
        result.name: {name: result.figures.summary()[name] for name in FIGURES}
        | {"conditions": result.figures.by_condition()}
        for result in comparison.results
    }
