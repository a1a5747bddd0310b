"""The texts of docs/science/puzzles.md: questions, answers, and the systems and figures behind each answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_QUALITY: Final = ("macro_f1_exposed", "false_alarms_per_day", "episodes_found", "satisfied")


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A question, its answer, and the rows and figures behind the answer."""

    question: str
    answer: str
    protocol: str
    systems: tuple[str, ...]
    figures: tuple[str, ...]


PUZZLES: Final = (
    Puzzle(
        "Why is BatchNorm good in training and bad in inference?",
        """![Share of satisfied triplets over the steps of a training](puzzles.svg)

*Blue: mixed batches (`raw`). Red: one network in each batch (`raw, one network`). Solid: training mode. Dashed: inference
mode. First seed; each point is the mean of thirteen measurements, each on a batch of 32 triplets.*

There are three causes, and each has its own remedy.

- **The running statistics lag.** With the momentum of 0.99 in Keras and three towers in each step, they follow the batches
  after a hundred steps. Until then, inference mode is another network. Its loss hides that: vectors without a scale are all
  in one place, where the loss equals the margin, 0.2, while it is 4 or 5 in training mode. So count satisfied triplets, not
  the loss. `raw, 512 units` makes only twenty steps in its time and stays in this state. More steps close the gap, and so do
  statistics that are estimated again over a dozen batches.
- **Batches of one network are easy.** Within one network, faults differ clearly, and the statistics of a batch remove what is
  particular to the network. Before any training, four fifths of such triplets are satisfied in training mode, but only half
  of mixed ones, as by chance. Training on them has little value: on triplets across networks it stays near chance, and the
  score on held-out networks is half of that with mixed batches. The same holds for normalised input, and statistics that are
  estimated again do not help. **Mixed batches help**, and then both modes agree.
- **LayerNorm has no gap, but something must replace the other effect of BatchNorm.** At the outputs, BatchNorm keeps the
  spread of each dimension at 1. Without it, random triplets move all vectors to one place: no triplet is satisfied, and the
  loss is the margin. A loss that stays at the margin is the sign. The default encoder has no norm at its outputs either, and
  its vectors do not collapse, not even with random triplets (below).
""",
        "batchnorm-gap",
        (
            "raw",
            "raw, one network",
            "raw, layer norm",
            "normalised",
            "normalised, one network",
            "normalised, layer norm",
            "raw, 512 units",
        ),
        (
            "satisfied",
            "satisfied_inference",
            "satisfied_mixed",
            "satisfied_reestimated",
            "loss_training",
            "loss_inference",
            "loss_reestimated",
            "sampled_f1",
            "sampled_f1_reestimated",
        ),
    ),
    Puzzle(
        "What does BatchNorm do in the default encoder?",
        """It makes no difference. Batches mix networks, and the input is normalised by the node's own baseline, so batch statistics
hide nothing. The input opens the gap, not the layer. The default keeps LayerNorm, because it does not depend on the batches.
""",
        "encoder-variants",
        ("default", "batch norm"),
        _QUALITY,
    ),
    Puzzle(
        "Random triplets or mined ones?",
        """All triplets that violate the margin, from the same windows and in the same time, are better than random ones.
The pairs and
prototypes of the default are better than triplets alone by the same amount. The share of satisfied triplets misleads: of
random triplets, four of five are satisfied and the mean loss looks good, but the triplets that matter are hardly drawn any
more. The share does not rank the methods: with batch-hard triplets, none is ever satisfied, because they pull all vectors to
one place, as the authors of FaceNet warn (arXiv 1503.03832).
""",
        "encoder-variants",
        ("random triplets", "batch-all triplets", "batch-hard triplets", "default"),
        _QUALITY,
    ),
    Puzzle(
        "Three dimensions or more?",
        """More. Each doubling, from three to thirty-two dimensions, gains some hundredths of F1. A picture needs three, but
thirteen
faults do not fit into three. The animation of a training shows three axes of thirty-two instead
([training](../guide/train.md)).
""",
        "encoder-variants",
        ("3 dimensions", "8 dimensions", "16 dimensions", "batch-all triplets"),
        _QUALITY,
    ),
    Puzzle(
        "A sigmoid, the unit sphere, or no bound?",
        """A bound gains nothing. A sigmoid is as good as no bound, within the spread of two seeds; the unit sphere is worse
than both.
The lossless loss needs the sigmoids.
""",
        "encoder-variants",
        ("batch-all triplets", "sigmoid", "unit sphere"),
        _QUALITY,
    ),
    Puzzle(
        "The lossless triplet loss or the ordinary one?",
        """The ordinary one, with 32 dimensions and with the three of the 2017 baseline, though three separate little with
either loss.
Near a positive, the lossless loss pulls with a force of about 1/N for N dimensions. From a negative, it pushes with a force
of 1/AN, which has no bound, so it spreads everything, including windows of one fault. As promised, it never stops, and it
continues where nothing is left to gain.
""",
        "encoder-variants",
        ("sigmoid, random", "sigmoid, lossless", "3 sigmoids, random", "3 sigmoids, lossless"),
        _QUALITY,
    ),
    Puzzle(
        "Does vector arithmetic work (king − man + woman)?",
        """Faults transfer without arithmetic. The default encoder places three of four faults of one network nearest to the
same fault
of another network, without any change. It places seven of ten if normal there is subtracted and normal here is added. Chance
is one of eleven. The encoder learns from forty networks at the same time that these faults are equal, with the arithmetic in
its training. With one profile for all networks, six of ten transfer, again with and without arithmetic. An encoder that was
trained with the node's own profile loses more without it, and the arithmetic gains nothing. The network of the 2017 baseline,
in thirty seconds, transfers little more than chance, and arithmetic adds nothing there either.
""",
        "vector-arithmetic",
        ("reference-lstm", "reference-lstm, 64 units", "one profile", "no profile", "default"),
        ("carried", "carried_unmoved", "carried_by_chance"),
    ),
)
