"""Data time: when an episode lies in the data set, whenever it was recorded.

A network's episodes are laid end to end in the plan's order. The first begins on FIRST_DAY at its `hour`, so that the
time of day in the data is that of the daily curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from faultprint.errors import UsageError
from faultprint.units import DAY_US, MINUTE_US
from faultprint_lab.testbed.plan import TestbedPlan

FIRST_DAY: Final = datetime(2026, 1, 5, tzinfo=UTC)
_TOLERANCE_US: Final = MINUTE_US


def starts(plan: TestbedPlan) -> Mapping[str, int]:
    """The start of each episode in data time, µs since 1970, by its name.

    Raises UsageError where an episode does not begin and end on a whole minute, or its `hour` is not where the episode
    before it ended.
    """
    begun: dict[str, int] = {}
    following: dict[str, int] = {}
    for episode in plan.episodes:
        if plan.networks[episode.network].load.day_length * 1e6 != DAY_US:
            raise UsageError(f"Network {episode.network}: a data set needs days of 86,400 s; leave day_length out.")
        hour_us = round(episode.hour * 3.6e9)
        day_us = round(FIRST_DAY.timestamp()) * 1_000_000
        start = following.get(episode.network, day_us + hour_us)
        length = round(episode.length * 1e6)
        if start % MINUTE_US or length % MINUTE_US:
            raise UsageError(f"Episode {episode.name} must begin and end on a whole minute; change its hour or length.")
        apart = (start - hour_us) % DAY_US
        if min(apart, DAY_US - apart) > _TOLERANCE_US:
            raise UsageError(
                f"Episode {episode.name}: hour {episode.hour:g} is not where the episode before it ended; episodes of a "
                "network follow one another without a gap."
            )
        begun[episode.name] = start
        following[episode.network] = start + length
    return begun
