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

ANEW: Final[Mapping[str, str]] = {
    "relearnt": "the default preset, trained anew with what it is taught, told again on every node (`train --retell`)",
}
"""Who takes part where faults are taught after the training, beside all others."""

BEYOND: Final[Mapping[str, str]] = {
    "forewarned": "no contestant: the default preset, trained on the hidden faults, too, though taught them no otherwise",
}
"""What the others may be held against, where faults are hidden."""

PARTS: Final[Mapping[str, str]] = {
    "no surprise": "trained without the channel that says how sure a departure is",
    "no departure": "trained without the channel that says how far a minute departs",
    "no trailing means": "trained on the minutes alone, without the means over 10 and 30 minutes",
    "no maximum": "trained without the maximum over the window",
    "no mean": "trained without the mean over the window",
    "no last minute": "trained without the window's last minute by itself",
    "no prototypes": "trained by pairs and triplets alone",
    "no general eye": "trained alike, without the general eye beside it",
    "no arithmetic": "used without subtracting the node's own normal mean: a mean over training nodes instead",
    "no profile": "used with the population's profile instead of the node's own; its own normal mean is subtracted",
    "every reference": "used with every example of the lessons as a reference, instead of a typical one a fault",
}
"""The default preset without one of its parts, for the protocol `parts`."""

PUZZLES: Final[Mapping[str, str]] = {
    "random triplets": "taught by triplets alone, drawn at random, as many as take up each window of a batch about once",
    "every triplet": "taught by triplets alone, by all of a batch that violate the margin; 32 numbers, not bounded",
    "hardest triplets": "taught by triplets alone, of each window the hardest",
    "3 numbers": "`every triplet` with vectors of 3 numbers",
    "8 numbers": "`every triplet` with vectors of 8 numbers",
    "16 numbers": "`every triplet` with vectors of 16 numbers",
    "sigmoid": "`every triplet` with each number put into [0, 1] by a sigmoid",
    "unit sphere": "`every triplet` with vectors divided by their length",
    "sigmoid, random": "`random triplets` of sigmoids, in training moved by no normal: within [0, 1], as the lossless loss needs",
    "sigmoid, lossless": "the same with the lossless triplet loss",
    "3 sigmoids, random": "`sigmoid, random` with vectors of 3 numbers",
    "3 sigmoids, lossless": "the same with the lossless triplet loss",
    "batch norm": "the default preset with BatchNorm where it has LayerNorm",
    "raw": "the posts' network with layers of 64 units, on raw input, batches mixed of all networks",
    "raw, one network": "the same, every batch of one network, another each time",
    "raw, layer norm": "`raw` with LayerNorm for BatchNorm",
    "normalised": "`raw` on input normalised by an hour of the node's own normal",
    "normalised, one network": "the same, every batch of one network",
    "normalised, layer norm": "`normalised` with LayerNorm for BatchNorm",
    "raw, 512 units": "`raw` as wide as the posts' network is",
    "posts, 64 units": "the posts' network with layers of 64 units, which takes some twenty times as many steps",
    "one profile": "the default preset trained and used on input normalised by one profile, the population's, for all nodes",
}
"""What the posts' puzzles are answered with, for the protocols `puzzles`, `gap` and `arithmetic`."""

DATA: Final[Mapping[str, str]] = {
    "simulated": "networks of the simulator",
    "bed": "the real IMS of the test bed; trained on simulated and recorded networks",
    "5gc-faults": "real failures of a 5G core (ITU AI/ML in 5G challenge, PS-015, area b), a table of other people's features",
}
