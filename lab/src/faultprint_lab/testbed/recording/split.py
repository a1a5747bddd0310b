"""The published split of a data set: by network and by time, by rules that look at the plan alone."""

from __future__ import annotations

import json
from typing import Final

from faultprint_lab.testbed.plan import TestbedPlan
from faultprint_lab.testbed.recording import timeline
from faultprint_lab.testbed.recording.raw import moment

EARLY: Final = 0.6
"""Share of a network's episodes, from the first on, that are early."""
_HEAD: Final = """\
# Two ways to part this data set. The rules look at nothing but the plan.
#
# [networks]: each network is wholly on one side. Counted from 1 in the plan's order, every third is for reporting; of
# the others every fifth is for choosing (thresholds, epochs, presets); the rest is for training. Report only once.
#
# [early_until]: each network's first 60 % of hours end here. Train before it, report after it, on the same networks.
"""


def split(plan: TestbedPlan) -> str:
    """The text of split.toml."""
    sides: dict[str, list[str]] = {"train": [], "choose": [], "report": []}
    for number, name in enumerate(plan.networks, 1):
        sides[side(number)].append(name)
    begun = timeline.starts(plan)
    lines = [_HEAD, "[networks]"]
    lines += [f"{which} = {json.dumps(names)}" for which, names in sides.items()]
    lines += ["", "[early_until]"]
    for name in plan.networks:
        own = [episode for episode in plan.episodes if episode.network == name]
        if own:
            last = own[max(1, round(EARLY * len(own))) - 1]
            lines.append(f"{name} = {moment(begun[last.name] + round(last.length * 1e6))}")
    return "\n".join(lines) + "\n"


def side(number: int) -> str:
    """Which side a network is on, by its number from 1."""
    if number % 3 == 0:
        return "report"
    return "choose" if number % 5 == 0 else "train"
