"""Reports of a running training: the note of the progress bar, JSON lines, and event files for TensorBoard."""

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
"""Called before the first epoch and after every epoch. A resumed training first passes the epochs from the checkpoint."""

EPOCHS_FILE: Final = "epochs.jsonl"


def epoch_metrics(epoch: Epoch) -> Mapping[str, float | None]:
    """The metrics of an epoch by name; None if a metric is not a finite number."""
    return {name: value if math.isfinite(value) else None for name, value in asdict(epoch).items()}


class LatestScore:
    """The latest and the best score, as `text` for the progress bar."""

    text = ""

    def __call__(self, history: History) -> None:
        if history.epochs:
            score, best = history.epochs[-1].score, history.epochs[history.best_epoch].score
            self.text = f"epoch {len(history.epochs)}, macro-F1 {score:.3f}, best {best:.3f}"


class JsonLines:
    """Writes DIR/epochs.jsonl: one line for each epoch. After a restart it also contains the earlier epochs, once each."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / EPOCHS_FILE
        self._written: int | None = None

    def __call__(self, history: History) -> None:
        if self._written is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("", encoding="utf-8")
            self._written = 0
        with self.path.open("a", encoding="utf-8") as file:
            for number, epoch in enumerate(history.epochs[self._written :], self._written + 1):
                file.write(json.dumps({"epoch": number, **epoch_metrics(epoch)}, allow_nan=False) + "\n")
        self._written = len(history.epochs)


class TensorBoard:
    """Writes event files to DIR with the package tensorboard. Raises UsageError if it is not installed."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UsageError(
                "Event files for TensorBoard need the package tensorboard, which is not installed; install it with "
                "`pip install tensorboard`, or use --log for JSON lines."
            ) from None
        self._open: Callable[..., Any] = SummaryWriter
        self._folder = folder
        self._writer: Any = None
        self._written = 0

    def __call__(self, history: History) -> None:
        if self._writer is None:
            # Discard the events that a killed training wrote after its last checkpoint.
            self._written = len(history.epochs)
            self._writer = self._open(str(self._folder), purge_step=self._written + 1)
        for number, epoch in enumerate(history.epochs[self._written :], self._written + 1):
            for name, value in epoch_metrics(epoch).items():
                if value is not None:
                    self._writer.add_scalar(name, value, number)
        self._written = len(history.epochs)
        self._writer.flush()
