"""docs/reference/model-card.md: the model, the starter library and their figures, from the card in the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from faultprint import pretrained
from faultprint.pretrained.conditions import condition_texts
from faultprint_lab.pages.markdown import table

_HEAD: Final = """# Model card: the default model and the starter library

The wheel carries a trained model and a library with references of {faults} faults. Commands use both if no other is given. This
page is generated from `src/faultprint/pretrained/card.json`, which `make model` writes together with the two files.

## What it is for

The model turns the last 60 minutes of a node's SIP and Diameter traffic into a vector. The library names the fault whose
references lie nearest. Both are a start: teach the faults of your own network with `faultprint cases enrol`.

## Data

It was trained on {networks} networks and tested on others. {held_out} of the training networks were held out to stop the training
and to calibrate. All traffic is made by the repository: by its [simulator](../science/simulator.md) and by its
[test bed](../science/testbed.md), a real IMS with injected faults. No traffic of an operator is in it.

{recipe}

`make model` took {minutes} minutes on {processors} processors, with the figures below. Model: `{model}`, catalogue:
`{catalogue}`.

## Figures of networks that were used for nothing else

Each row is a group of networks of its own. The first hour of each node is its baseline, and a verdict needs {confirm} minutes that
agree. [Matching](../science/matching.md) defines every figure.

{figures}
## By fault, over all groups

Found: an episode that got its right name at some minute of it. References: how many the starter library holds.

{conditions}
## Limits

- Traffic of real networks differs from simulated traffic. On networks made by others, expect more
  false alarms and fewer right names than the figures above, until you teach examples of your own.
- A fault is seen only as far as it changes SIP and Diameter at the node. Faults of media or billing are not seen.
- The model knows the 132 features of the catalogue `sip`, in minutes of 60 seconds.
- The thresholds allow {alarms} false alarms a node and day on the calibration networks. `faultprint cases calibrate` sets them on
  your own traffic.
"""
_FIGURES: Final = {
    "macro_f1": "macro-F1",
    "macro_f1_exposed": "macro-F1, 10 minutes of the fault",
    "episodes_found": "episodes found",
    "delay_median_minutes": "median delay, min",
    "false_alarms_per_day": "false alarms a day",
    "clearing_median_minutes": "median clearing, min",
}


def page() -> str:
    """Markdown."""
    card = json.loads(pretrained.CARD.read_text(encoding="utf-8"))
    return _HEAD.format(
        faults=len(card["references"]),
        networks=card["training"]["networks"],
        held_out=card["training"]["held_out"],
        recipe=_recipe(card["recipe"]),
        minutes=round(card["seconds"] / 60),
        processors=card["processors"],
        model=card["model"],
        catalogue=card["catalogue"][:12],
        confirm=card["recipe"]["confirm_minutes"],
        figures=_figures(card["figures"]),
        conditions=_conditions(card),
        alarms=card["recipe"]["false_alarms_per_day"],
    )


def _recipe(recipe: Mapping[str, Any]) -> str:
    rows = []
    for name, value in recipe.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        rows.append((name.replace("_", " "), text))
    return table(("recipe", "value"), rows)


def _figures(groups: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [(name, *(_number(figures[key]) for key in _FIGURES)) for name, figures in groups.items()]
    return table(("networks", *_FIGURES.values()), rows)


def _conditions(card: Mapping[str, Any]) -> str:
    rows = []
    for name, references in card["references"].items():
        groups = (figures["conditions"] for figures in card["figures"].values())
        found = [condition for group in groups for condition in group if condition["condition"] == name]
        episodes, right = (sum(each[key] for each in found) for key in ("episodes", "found"))
        rows.append((f"`{name}`", condition_texts()[name].title, f"{right} of {episodes}", str(references)))
    return table(("condition", "title", "episodes found", "references"), rows)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
