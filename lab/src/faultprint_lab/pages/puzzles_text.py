"""The posts' puzzles: questions, the answers to them in words, and which figures those rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_WORTH: Final = ("macro_f1_exposed", "false_alarms_per_day", "episodes_found", "satisfied")


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A question, its answer, and the rows and figures that it rests on."""

    question: str
    answer: str
    protocol: str
    systems: tuple[str, ...]
    figures: tuple[str, ...]


PUZZLES: Final = (
    Puzzle(
        "Why does BatchNorm look so well in training and so bad in inference?",
        """![Share of satisfied triplets over the steps of a training](puzzles.svg)

*Blue: mixed batches (`raw`), red: one network a batch (`raw, one network`); drawn through: in training mode, dashed: in
inference mode. The first of the seeds; each point is the mean of thirteen looks at a batch of 32 triplets.*

Three things lie behind it, and each has a cure of its own.

- **The running statistics lag.** With Keras' momentum of .99 and three towers a step they are those of the batches after a
  hundred steps, and until then inference mode is another network. Its loss does not show it but says the opposite: vectors
  that are not yet scaled lie in one place, where the loss is the margin, .2, while in training mode it is 4 or 5. So count
  satisfied triplets, not the loss. `raw, 512 units` makes twenty steps in its seconds and does not get out of this. More
  steps close the gap, or statistics taken anew over a dozen batches.
- **Batches of one network are easy.** Within one network faults differ plainly, and a batch's own statistics take the rest of
  the network's ways away: before anything is learnt four fifths of such triplets are satisfied in training mode, where of
  mixed ones it is half, as by tossing a coin. What is learnt from them is worth little. On triplets that cross networks it
  stays near the toss, and the score on networks held out is half of what mixed batches give. It is so on normalised input,
  too, and statistics taken anew do not mend it; **mixed batches do**, and then both modes agree.
- **LayerNorm has no gap, but BatchNorm's other work has to be done by something else.** At the outputs it keeps the spread of
  each number at 1. Without it random triplets draw all vectors into one place: no triplet is satisfied, and the loss is the
  margin. A loss that stays at the margin is the sign. The default encoder has no norm at its outputs either and does not do
  so, not even under random triplets (below).
""",
        "gap",
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
        "And BatchNorm in the default encoder?",
        """It is level: batches are mixed and the input is normalised by the node's own normal, so that no batch has anything to
hide. It is the feed that opens the gap, and not the layer. LayerNorm stays because it asks nothing of the feed.
""",
        "puzzles",
        ("default", "batch norm"),
        _WORTH,
    ),
    Puzzle(
        "Random triplets or mined ones?",
        """Every triplet that violates the margin, formed from the same windows in the same time, beats random ones; the
default's pairs and prototypes beat triplets alone by as much again. What fools is the share of satisfied triplets: at
random four of five are satisfied, and the mean loss looks good, by which time those that matter are hardly drawn. It
ranks no two ways of training: under the hardest triplets alone none is ever satisfied, because they pull everything
into one place, as FaceNet's authors warn (arXiv 1503.03832).
""",
        "puzzles",
        ("random triplets", "every triplet", "hardest triplets", "default"),
        _WORTH,
    ),
    Puzzle(
        "Three numbers or more?",
        """More: each doubling gains some hundredths of F1, from three numbers to thirty-two. A picture wants three, but thirteen
faults do not fit into them; the movie of a training draws three axes of thirty-two instead
([training](../guide/train.md#look-at-a-training)).
""",
        "puzzles",
        ("3 numbers", "8 numbers", "16 numbers", "every triplet"),
        _WORTH,
    ),
    Puzzle(
        "A sigmoid, the unit sphere, or no bound?",
        """A bound gains nothing. A sigmoid is within the spread of two seeds of none, the unit sphere behind both. Sigmoids are
there for the lossless loss.
""",
        "puzzles",
        ("every triplet", "sigmoid", "unit sphere"),
        _WORTH,
    ),
    Puzzle(
        "The lossless triplet loss or the ordinary one?",
        """The ordinary one, with 32 numbers and with the posts' three, though three name little under either. Near a positive
the lossless loss pulls with a force of about 1/N of N numbers, from a negative it pushes with one of 1/AN, which
knows no bound: it spreads everything, windows of one fault as well. It never stops, as it promises, and goes on where
nothing is left to gain.
""",
        "puzzles",
        ("sigmoid, random", "sigmoid, lossless", "3 sigmoids, random", "3 sigmoids, lossless"),
        _WORTH,
    ),
    Puzzle(
        "King − man + woman?",
        """What is carried is carried without arithmetic. The default encoder puts three of four faults of one network nearest to
the same fault at another as they are, and seven of ten when normal there is taken off and normal here added; chance
is one of eleven. It learns from forty networks at once that they are the same, with the arithmetic in its training.
Under one profile for all networks it carries six of ten, again with and without. Leaving the node's own profile out
of an encoder that was trained with it costs more, and the arithmetic gives nothing back. The posts' network, in half
a minute, carries little more than chance, and arithmetic adds nothing there either.
""",
        "arithmetic",
        ("posts", "posts, 64 units", "one profile", "no profile", "default"),
        ("carried", "carried_unmoved", "carried_by_chance"),
    ),
)
