"""Data time: the time of an episode in the data set, independent of when it was recorded.

The episodes of a network follow one another in the order of the plan. The first one starts on FIRST_DAY at its `hour`, so
that the time of day in the data is the time of day of the load curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from faultprint.errors import UsageError
from faultprint.units import DAY_US, MINUTE_US
from faultprint_lab.testbed.plan import RecordingPlan

FIRST_DAY: Final = datetime(2026, 1, 5, tzinfo=UTC)
_TOLERANCE_US: Final = MINUTE_US


def episode_starts(plan: RecordingPlan) -> Mapping[str, int]:
    """The start of each episode in data time, µs since 1970, by name.

    Raises UsageError if an episode does not start and end on a whole minute, or if its `hour` does not follow the end of
    the previous episode.
    """
    starts: dict[str, int] = {}
    ends: dict[str, int] = {}
    for episode in plan.episodes:
        if plan.networks[episode.network].load.day_length * 1e6 != DAY_US:
            raise UsageError(f"Network {episode.network}: a data set needs days of 86,400 s; remove day_length.")
        hour_us = round(episode.hour * 3.6e9)
        day_us = round(FIRST_DAY.timestamp()) * 1_000_000
        start = ends.get(episode.network, day_us + hour_us)
        length = round(episode.length * 1e6)
        if start % MINUTE_US or length % MINUTE_US:
            raise UsageError(f"Episode {episode.name} must start and end on a whole minute; change its hour or length.")
        difference = (start - hour_us) % DAY_US
        if min(difference, DAY_US - difference) > _TOLERANCE_US:
            raise UsageError(
                f"Episode {episode.name}: hour {episode.hour:g} is not the end of the previous episode; the episodes of "
                "a network must follow one another without a gap."
            )
        starts[episode.name] = start
        ends[episode.network] = start + length
    return starts
