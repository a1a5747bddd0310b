"""Names: the systems that take part and the data that they are tried on, with what they are in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SYSTEMS: Final[Mapping[str, str]] = {
    "default": "the default preset; one typical reference a fault",
    "posts": "the posts' network as written, trained with random triplets for the same seconds; one typical reference a fault",
    "posts-100k": "the same, trained on 100,000 triplets as the posts did, whatever time that takes",
    "posts-3d-100k": "the same with three sigmoid outputs and the lossless triplet loss, on 100,000 triplets",
    "lightgbm": "gradient boosting on summaries of the normalised windows",
    "lightgbm-raw": "gradient boosting on summaries of the features as they are",
    "1-nn": "the nearest of one summary a fault, of the normalised windows",
    "dtw": "the nearest window under dynamic time warping, three windows a fault, of the normalised minutes",
    "minirocket": "MiniRocket's convolutions over the normalised minutes, and ridge regression",
    "thresholds": "an operator's rules: a counter beyond a threshold for some minutes names a fault; nothing is learnt",
}

PARTS: Final[Mapping[str, str]] = {
    "no surprise": "trained without the channel that says how sure a departure is",
    "no departure": "trained without the channel that says how far a minute departs",
    "no trailing means": "trained on the minutes alone, without the means over 10 and 30 minutes",
    "no maximum": "trained without the maximum over the window",
    "no mean": "trained without the mean over the window",
    "no last minute": "trained without the window's last minute by itself",
    "no prototypes": "trained by pairs and triplets alone",
    "no arithmetic": "used without subtracting the node's own normal mean: a mean over training nodes instead",
    "no profile": "used with the population's profile instead of the node's own; its own normal mean is subtracted",
    "every reference": "used with every example of the lessons as a reference, instead of a typical one a fault",
}
"""The default preset without one of its parts, for the protocol `parts`."""

DATA: Final[Mapping[str, str]] = {
    "simulated": "networks of the simulator",
    "bed": "the real IMS of the test bed; trained on simulated and recorded networks",
    "5gc-faults": "real failures of a 5G core (ITU AI/ML in 5G challenge, PS-015, area b), a table of other people's features",
}
