"""Checkpoints: one file, replaced as a whole after every epoch, from which a killed training resumes.

The file is a ZIP of .npy members, as `numpy.savez` writes it. It contains no pickle, and none is read.

    manifest              JSON as bytes: identity of the training, history, best score, random generator, sampler
    torch                 state of torch's random generator
    module.NAME.KEY       weights and buffers of every module, with the averaged weights and the prototypes
    best.KEY              the best weights so far
    optimiser.N.KEY       state of the optimiser for its Nth parameter
    frame.N               vectors of the probe windows after N epochs, if there is an animation
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
from faultprint.training.animation import EmbeddingAnimation
from faultprint.training.identity import difference
from faultprint.training.loop import History, TrainerState
from faultprint.training.models.task import TrainingTask

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint file, and the objects whose state it holds.

    path        the file
    identity    identity of the training (`training.identity`)
    task        the network in training
    rng         the random generator of the training
    animation   the embedding animation, if there is one
    """

    path: Path
    identity: Mapping[str, Any]
    task: TrainingTask
    rng: np.random.Generator
    animation: EmbeddingAnimation | None = None

    def save(self, state: TrainerState) -> None:
        """Replace the file by the state between two epochs."""
        manifest = {
            **self.identity,
            "course": state.history.as_dict(),
            "best_score": state.best_score,
            "generator": self.rng.bit_generator.state,
            "drawing": self.task.sampler_state(),
        }
        arrays = {"manifest": np.frombuffer(json.dumps(manifest).encode(), dtype=np.uint8), **self._arrays(state)}
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def _arrays(self, state: TrainerState) -> dict[str, npt.NDArray[Any]]:
        groups = {f"module.{name}": module.state_dict() for name, module in self.task.modules.items()}
        groups["best"] = state.best_state
        for number, optimiser_state in self.task.optimiser.state_dict()["state"].items():
            groups[f"optimiser.{number}"] = optimiser_state
        weights = {
            f"{group}.{key}": value.cpu().numpy() for group, values in groups.items() for key, value in values.items()
        }
        frames = {
            f"frame.{done}": vectors for done, vectors in (self.animation.frames if self.animation else {}).items()
        }
        return {"torch": torch.get_rng_state().numpy(), **weights, **frames}

    def restore(self) -> TrainerState | None:
        """Restore the objects from the file and return the state of the training; None if there is no file.

        Raises UsageError for a file that is not a checkpoint of this training. Do not use the task after that.
        """
        if not self.path.exists():
            return None
        try:
            arrays = _read(self.path)
            manifest = json.loads(arrays["manifest"].tobytes())
            self._check_identity(manifest)
            return self._restore(manifest, arrays)
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
                f"{self.path} is not a checkpoint of a training, or it is damaged; give another file, or remove it to start from "
                "the beginning."
            ) from None

    def _check_identity(self, manifest: Mapping[str, Any]) -> None:
        if other := difference(manifest, self.identity):
            raise UsageError(
                f"{self.path} is the checkpoint of another training, which differs in its {other}; use the same arguments, or give "
                "another file to start from the beginning."
            )

    def _restore(self, manifest: Mapping[str, Any], arrays: Arrays) -> TrainerState:
        for name, module in self.task.modules.items():
            module.load_state_dict(dict(_tensors(arrays, f"module.{name}.")))
        optimiser, numbers = self.task.optimiser, range(len([*_parameters(self.task)]))
        states = {number: dict(_tensors(arrays, f"optimiser.{number}.")) for number in numbers}
        known = {number: values for number, values in states.items() if values}
        optimiser.load_state_dict({"state": known, "param_groups": optimiser.state_dict()["param_groups"]})
        self.task.restore_sampler(manifest["drawing"])
        if self.animation:
            shape = len(self.animation.probes.node), self.task.dimensions
            frames = {int(name[6:]): array for name, array in arrays.items() if name.startswith("frame.")}
            self.animation.frames = {done: array for done, array in frames.items() if array.shape == shape}
        self.rng.bit_generator.state = manifest["generator"]
        torch.set_rng_state(torch.from_numpy(arrays["torch"]))
        best = dict(_tensors(arrays, "best."))
        return TrainerState(History.from_dict(manifest["course"]), float(manifest["best_score"]), best)


def _parameters(task: TrainingTask) -> Iterator[Tensor]:
    for group in task.optimiser.param_groups:
        yield from group["params"]


def _tensors(arrays: Arrays, prefix: str) -> Iterator[tuple[str, Tensor]]:
    for name, array in arrays.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), torch.from_numpy(array)


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All members. A compressed member is refused, because it could expand to any size."""
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
            raise ValueError("compressed")
    with np.load(io.BytesIO(content), allow_pickle=False) as members:
        return {name: members[name] for name in members.files}
