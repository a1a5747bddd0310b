"""What a killed training goes on from: one file, replaced whole after every epoch.

A ZIP of .npy members, as `numpy.savez` writes it (no pickle in it, and none is read):

    manifest              JSON as bytes: what the training is of (`identity`), course, best score, random generator, drawing
    torch                 state of torch's random generator
    module.NAME.KEY       weights and buffers of every part that learns, averaged weights and prototypes included
    best.KEY              the best weights so far
    optimiser.N.KEY       the optimiser's state of its Nth parameter
    frame.N               vectors of the watched windows after N epochs, where a movie is made
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from faultprint.errors import UsageError
from faultprint.files import replacing
from faultprint.training.animation.recorder import EmbeddingAnimation
from faultprint.training.identity import difference
from faultprint.training.loop import History, TrainerState
from faultprint.training.models.task import TrainingTask

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file, and what its contents come from and go to: the task, the generator that all draw from, the film if any."""

    path: Path
    identity: Mapping[str, Any]
    task: TrainingTask
    rng: np.random.Generator
    film: EmbeddingAnimation | None = None

    def save(self, standing: TrainerState) -> None:
        """Replace the file by one of this moment, between two epochs."""
        told = {
            **self.identity,
            "course": standing.course.as_dict(),
            "best_score": standing.best_score,
            "generator": self.rng.bit_generator.state,
            "drawing": self.task.drawing(),
        }
        arrays = {"manifest": np.frombuffer(json.dumps(told).encode(), dtype=np.uint8), **self._arrays(standing)}
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def _arrays(self, standing: TrainerState) -> dict[str, npt.NDArray[Any]]:
        parts = {f"module.{name}": module.state_dict() for name, module in self.task.modules.items()}
        parts["best"] = standing.best_state
        for number, state in self.task.optimiser.state_dict()["state"].items():
            parts[f"optimiser.{number}"] = state
        found = {f"{part}.{key}": value.cpu().numpy() for part, state in parts.items() for key, value in state.items()}
        frames = {f"frame.{done}": vectors for done, vectors in (self.film.frames if self.film else {}).items()}
        return {"torch": torch.get_rng_state().numpy(), **found, **frames}

    def restore(self) -> TrainerState | None:
        """Put everything back as it was saved, and say where the training stands; None where there is no file.

        Raises UsageError for a file that is no checkpoint, or one of another training; the task is of no use after that.
        """
        if not self.path.exists():
            return None
        try:
            arrays = _read(self.path)
            told = json.loads(arrays["manifest"].tobytes())
            self._check(told)
            return self._put_back(told, arrays)
        except (
            OSError,
            EOFError,
            zipfile.BadZipFile,
            ArithmeticError,
            LookupError,
            RuntimeError,
            TypeError,
            ValueError,
        ):
            raise UsageError(
                f"{self.path} is no checkpoint of a training, or it is damaged; give another file to go on from, or remove it "
                "to begin anew."
            ) from None

    def _check(self, told: Mapping[str, Any]) -> None:
        other = difference(told, self.identity)
        if other:
            raise UsageError(
                f"{self.path} is a checkpoint of a training with other {other}; start it with the same arguments, or give "
                "another file to begin anew."
            )

    def _put_back(self, told: Mapping[str, Any], arrays: Arrays) -> TrainerState:
        for name, module in self.task.modules.items():
            module.load_state_dict(dict(_tensors(arrays, f"module.{name}.")))
        optimiser, numbers = self.task.optimiser, range(len([*_parameters(self.task)]))
        state = {number: found for number in numbers if (found := dict(_tensors(arrays, f"optimiser.{number}.")))}
        optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
        self.task.draw_on(told["drawing"])
        if self.film:
            wanted = len(self.film.watched.node), self.task.dimensions
            frames = {int(name[6:]): array for name, array in arrays.items() if name.startswith("frame.")}
            self.film.frames = {done: array for done, array in frames.items() if array.shape == wanted}
        self.rng.bit_generator.state = told["generator"]
        torch.set_rng_state(torch.from_numpy(arrays["torch"]))
        best = dict(_tensors(arrays, "best."))
        return TrainerState(History.from_dict(told["course"]), float(told["best_score"]), best)


def _parameters(task: TrainingTask) -> Iterator[Tensor]:
    for group in task.optimiser.param_groups:
        yield from group["params"]


def _tensors(arrays: Arrays, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for name, array in arrays.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), torch.from_numpy(array)


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Every member, which must be stored as it is: a compressed one could be of any size."""
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise ValueError("compressed")
    with np.load(io.BytesIO(content), allow_pickle=False) as members:
        return {name: members[name] for name in members.files}
