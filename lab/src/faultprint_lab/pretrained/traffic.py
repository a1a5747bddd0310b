"""The traffic of the recipe: simulated networks, and the recording of the test bed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from faultprint import storage
from faultprint.features.minutes import build_minutes_file, read_minutes
from faultprint.progress import Progress
from faultprint.tables import LABELS
from faultprint_lab.baselines.recorded import Tables, joined
from faultprint_lab.baselines.recorded import read as read_recorded
from faultprint_lab.locations import TESTBED_DATA
from faultprint_lab.pretrained.recipe import FIRST_CALIBRATION_NETWORK, FIRST_REPORT_NETWORK, START, Recipe
from faultprint_lab.simulate.run import simulate


@dataclass(frozen=True, slots=True)
class RecipeTraffic:
    """(minutes, labels) of each group of networks. `report`: by the name of the data."""

    simulated: Tables
    testbed: Tables
    calibration: Tables
    report: dict[str, Tables]

    @property
    def training(self) -> Tables:
        """All networks that train."""
        return joined(self.simulated, self.testbed)


def recipe_traffic(recipe: Recipe, folder: Path, progress: Progress | None = None) -> RecipeTraffic:
    """Simulate the networks of a recipe in `folder`, and read the recording. Raises UsageError or TableError."""
    recorded = read_recorded(TESTBED_DATA)
    training = _simulated(
        recipe,
        folder / "training",
        recipe.networks,
        0,
        recipe.seed,
        progress,
        episodes_per_day=recipe.episodes_per_day,
        vary_episodes=True,
    )
    calibration = _simulated(
        recipe, folder / "calibration", recipe.calibration_networks, FIRST_CALIBRATION_NETWORK, recipe.seed, progress
    )
    report = {
        f"simulated, seed {seed}": _simulated(
            recipe, folder / f"report-{seed}", recipe.report_networks, FIRST_REPORT_NETWORK, seed, progress
        )
        for seed in recipe.report_seeds
    }
    return RecipeTraffic(
        training,
        recorded.train,
        joined(calibration, recorded.validation),
        report | {"test bed": recorded.test},
    )


def _simulated(
    recipe: Recipe,
    folder: Path,
    networks: int,
    first: int,
    seed: int,
    progress: Progress | None,
    *,
    episodes_per_day: float = 5.0,
    vary_episodes: bool = False,
) -> Tables:
    """Minutes and labels of one group of networks; they stay in `folder`."""
    simulate(
        folder,
        networks=networks,
        days=recipe.days,
        seed=seed,
        first_network=first,
        start=START,
        workers=os.cpu_count() or 1,
        episodes_per_day=episodes_per_day,
        vary_episodes=vary_episodes,
        progress=progress,
    )
    build_minutes_file(folder / "transactions.parquet", folder / "minutes.parquet")
    return read_minutes(folder / "minutes.parquet").frame, storage.read(folder / "labels.parquet", LABELS)
