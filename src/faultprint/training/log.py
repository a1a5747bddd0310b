"""Where a training says how it goes while it goes: a progress bar's words, JSON lines, event files for TensorBoard."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.training.loop import Epoch, History

Listener = Callable[[History], None]
"""Called before the first epoch (of a training that goes on: with those already done) and after every one."""

EPOCHS: Final = "epochs.jsonl"


def figures(epoch: Epoch) -> Mapping[str, float | None]:
    """An epoch's figures by name; None for one that is no number."""
    return {name: value if math.isfinite(value) else None for name, value in asdict(epoch).items()}


class Latest:
    """The latest score and the best, in `words` for a progress bar."""

    words = ""

    def __call__(self, course: History) -> None:
        if course.epochs:
            score, best = course.epochs[-1].score, course.epochs[course.best_epoch].score
            self.words = f"epoch {len(course.epochs)}, macro-F1 {score:.3f}, best {best:.3f}"


class JsonLines:
    """DIR/epochs.jsonl: one line an epoch, the epochs before a restart included, each exactly once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / EPOCHS
        self._written: int | None = None

    def __call__(self, course: History) -> None:
        if self._written is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("", encoding="utf-8")
            self._written = 0
        with self.path.open("a", encoding="utf-8") as file:
            for number, epoch in enumerate(course.epochs[self._written :], self._written + 1):
                file.write(json.dumps({"epoch": number, **figures(epoch)}, allow_nan=False) + "\n")
        self._written = len(course.epochs)


class TensorBoard:
    """Event files in DIR, by the package tensorboard, where it is installed; else UsageError."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UsageError(
                "Event files for TensorBoard need the package tensorboard, which is not installed; install it with "
                "`pip install tensorboard`, or ask for JSON lines with --log."
            ) from None
        self._open: Callable[..., Any] = SummaryWriter
        self._folder = folder
        self._writer: Any = None
        self._written = 0

    def __call__(self, course: History) -> None:
        if self._writer is None:
            # What a killed training wrote after its last checkpoint is to be forgotten.
            self._written = len(course.epochs)
            self._writer = self._open(str(self._folder), purge_step=self._written + 1)
        for number, epoch in enumerate(course.epochs[self._written :], self._written + 1):
            for name, value in figures(epoch).items():
                if value is not None:
                    self._writer.add_scalar(name, value, number)
        self._written = len(course.epochs)
        self._writer.flush()
