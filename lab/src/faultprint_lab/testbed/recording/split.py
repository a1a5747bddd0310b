"""The published split of a data set by network and by time; the rules depend on the plan only."""

from __future__ import annotations

import json
from typing import Final

from faultprint_lab.testbed.plan import RecordingPlan
from faultprint_lab.testbed.recording import timeline
from faultprint_lab.testbed.recording.episode_tables import iso_time

EARLY: Final = 0.6
"""Share of the episodes of a network that count as early."""
_HEAD: Final = """\
# Two splits of this data set. The rules depend on the plan only.
#
# [networks]: each network is on one side. Counted from 1 in the order of the plan, every third network is "report" (the
# test side: use it once). Of the others, every fifth is "choose" (validation: thresholds, epochs, presets). The rest is
# "train".
#
# [early_until]: the first 60 % of the hours of each network end here. Train before this time and test after it, on the
# same networks.
"""


def split(plan: RecordingPlan) -> str:
    """The text of split.toml."""
    sides: dict[str, list[str]] = {"train": [], "choose": [], "report": []}
    for number, name in enumerate(plan.networks, 1):
        sides[side(number)].append(name)
    starts = timeline.episode_starts(plan)
    lines = [_HEAD, "[networks]"]
    lines += [f"{name} = {json.dumps(names)}" for name, names in sides.items()]
    lines += ["", "[early_until]"]
    for name in plan.networks:
        episodes = [episode for episode in plan.episodes if episode.network == name]
        if episodes:
            last = episodes[max(1, round(EARLY * len(episodes))) - 1]
            lines.append(f"{name} = {iso_time(starts[last.name] + round(last.length * 1e6))}")
    return "\n".join(lines) + "\n"


def side(number: int) -> str:
    """The side of a network by its number, from 1."""
    if number % 3 == 0:
        return "report"
    return "choose" if number % 5 == 0 else "train"
