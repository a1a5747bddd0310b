"""Names of the systems and of the kinds of data, each with one sentence about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SYSTEMS: Final[Mapping[str, str]] = {
    "default": "the default preset, with the medoid reference of each fault",
    "reference-lstm": "the network of the 2017 baseline with random triplets, trained for the same time; medoid references",
    "reference-lstm-100k": "the same, trained on 100,000 triplets as in 2017, however long that takes",
    "reference-lstm-3d-100k": "the same with three sigmoid outputs and the lossless triplet loss, on 100,000 triplets",
    "lightgbm": "gradient boosting on summaries of the normalised windows",
    "lightgbm-raw": "gradient boosting on summaries of the features without normalisation",
    "1-nn": "the nearest of one summary for each fault, of the normalised windows",
    "dtw": "the nearest window under dynamic time warping, three windows for each fault, of the normalised minutes",
    "minirocket": "MiniRocket convolutions over the normalised minutes, and ridge regression",
    "thresholds": "an operator's rules: a counter beyond a threshold for some minutes names a fault; nothing is trained",
}

RETRAINED: Final[Mapping[str, str]] = {
    "retrained": "the default preset, trained again with the enrolled faults transplanted to every node (`train --augment-rare`)",
}
"""Systems that take part in addition where faults are enrolled after the training."""

ORACLES: Final[Mapping[str, str]] = {
    "oracle": "an upper bound: the default preset, trained on the hidden faults as well, with the same references",
}
"""Upper bounds, for protocols that hide faults."""

ABLATED: Final[Mapping[str, str]] = {
    "no z-score": "trained without the channel of z-scores",
    "no deviation": "trained without the channel of raw deviations",
    "no trailing means": "trained on single minutes, without the means over 10 and 30 minutes",
    "no maximum": "trained without the maximum over the window",
    "no mean": "trained without the mean over the window",
    "no last minute": "trained without the separate input of the window's last minute",
    "no prototypes": "trained by pairs and triplets only",
    "no pretrained encoder": "trained alike, without the vectors of the pretrained encoder",
    "no arithmetic": "used without subtracting the node's own normal mean; a mean over training nodes is subtracted instead",
    "no profile": "used with the population's profile instead of the node's own; the node's normal mean is subtracted",
    "every reference": "used with every training example as a reference, instead of one medoid for each fault",
}
"""The default preset without one of its parts, for the protocol `ablation`."""

PUZZLES: Final[Mapping[str, str]] = {
    "random triplets": "trained by random triplets only, as many as use each window of a batch about once",
    "batch-all triplets": "trained by triplets only: all of a batch that violate the margin; 32 dimensions, no bound",
    "batch-hard triplets": "trained by triplets only: the hardest of each window",
    "3 dimensions": "`batch-all triplets` with vectors of 3 numbers",
    "8 dimensions": "`batch-all triplets` with vectors of 8 numbers",
    "16 dimensions": "`batch-all triplets` with vectors of 16 numbers",
    "sigmoid": "`batch-all triplets` with a sigmoid on each output, so that it is in [0, 1]",
    "unit sphere": "`batch-all triplets` with vectors divided by their length",
    "sigmoid, random": "`random triplets` with sigmoid outputs and no subtraction in training: the lossless loss needs [0, 1]",
    "sigmoid, lossless": "the same with the lossless triplet loss",
    "3 sigmoids, random": "`sigmoid, random` with vectors of 3 numbers",
    "3 sigmoids, lossless": "the same with the lossless triplet loss",
    "batch norm": "the default preset with BatchNorm instead of LayerNorm",
    "raw": "the network of the 2017 baseline with layers of 64 units, on raw input; batches mix all networks",
    "raw, one network": "the same, with the windows of one network in each batch",
    "raw, layer norm": "`raw` with LayerNorm instead of BatchNorm",
    "normalised": "`raw` on input that is normalised by an hour of the node's normal traffic",
    "normalised, one network": "the same, with the windows of one network in each batch",
    "normalised, layer norm": "`normalised` with LayerNorm instead of BatchNorm",
    "raw, 512 units": "`raw` with layers as wide as in 2017",
    "reference-lstm, 64 units": "the network of the 2017 baseline with layers of 64 units, for about 20 times as many steps",
    "one profile": "the default preset, trained and used on input that is normalised by the population's profile for all nodes",
}
"""Systems of the protocols `encoder-variants`, `batchnorm-gap` and `vector-arithmetic` (docs/science/puzzles.md)."""

DATA: Final[Mapping[str, str]] = {
    "simulated": "networks of the simulator",
    "testbed": "the real IMS of the test bed; training is on simulated and recorded networks",
    "5gc-faults": "real failures of a 5G core (ITU AI/ML in 5G challenge, PS-015, area b), a public table with other features",
}
