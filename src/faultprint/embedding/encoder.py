"""The ONNX graphs of a model, run by ONNX Runtime on the CPU. No torch is needed.

A model file may come from elsewhere. So each graph is checked before it is loaded (`embedding.graph_check`), and runs once
within a bound of memory and time.
"""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from faultprint.arrays import Float32Array
from faultprint.embedding.graph_check import GraphError, check_graph
from faultprint.embedding.model_file import Manifest, ModelArtifact
from faultprint.errors import ModelError
from faultprint.windows.levels import FeatureKinds
from faultprint.windows.normalisation import input_width
from faultprint.windows.profile import Profile

_POOLED_PARTS: Final = 3
"""Maximum, mean and last minute: the parts of pooled codes (`embedding.pooling`)."""
onnxruntime.disable_telemetry_events()
TRIAL_ROWS: Final = 128
TRIAL_MINUTES: Final = 60
"""Rows of the trial run, and the most minutes of a window in it."""
TRIAL_BYTES: Final = 2**30
"""Memory that loading and the trial run of a graph may take."""
TRIAL_S: Final = 10.0
"""Time that they may take; the run ends between two operators."""


class OnnxEncoder:
    """The graphs of a model file, ready to run, with the manifest that describes them."""

    def __init__(self, artifact: ModelArtifact, threads: int = 1) -> None:
        """`threads`: CPU threads of one call. Raises ModelError for a graph that cannot run or has other shapes."""
        self.manifest: Manifest = artifact.manifest
        self.kinds: FeatureKinds = FeatureKinds.from_catalogue(artifact.manifest.catalogue)
        with _bounded_memory(TRIAL_BYTES):
            self._sessions = {name: _session(name, graph, threads) for name, graph in artifact.graphs.items()}
            self._check_shapes()
            for name in self._sessions:
                self._try(name)

    @property
    def population(self) -> Profile:
        """The population's profile, which scales the input of a minute encoder.

        Raises ModelError for a model that reads whole windows.
        """
        if self.manifest.encoder != "pooled" or self.manifest.population is None:
            raise ModelError(
                f"This model cannot stream: its encoder {self.manifest.encoder!r} reads whole windows; "
                "train the preset 'default'."
            )
        return self.manifest.population

    def encode_minutes(self, inputs: Float32Array) -> Float32Array:
        """(N, S · H) codes of minute inputs (N, S · 2 · F). For the encoder "pooled"."""
        return self._run("minute.onnx", inputs)

    def apply_head(self, pooled: Float32Array) -> Float32Array:
        """(N, D) vectors of the pooled codes (N, 3 · S · H) of windows. For the encoder "pooled"."""
        return self._run("head.onnx", pooled)

    def encode_windows(self, windows: Float32Array) -> Float32Array:
        """(N, D) vectors of windows (N, W, F), which may be shorter than W. For the encoder "recurrent"."""
        return self._run("window.onnx", windows)

    def _run(self, graph: str, inputs: Float32Array) -> Float32Array:
        session = self._sessions[graph]
        outputs: Any = session.run(None, {session.get_inputs()[0].name: inputs})[0]
        return np.asarray(outputs, dtype=np.float32)

    def _check_shapes(self) -> None:
        """Raise ModelError unless the last axes of all graphs fit the manifest and one another."""
        features, dimensions = len(self.manifest.catalogue), self.manifest.dimensions
        if self.manifest.encoder == "recurrent":
            self._check_shape("window.onnx", features, dimensions)
            return
        codes = _last_axis(self._sessions["minute.onnx"].get_outputs()[0])
        self._check_shape("minute.onnx", input_width(features, len(self.manifest.spans)), codes)
        pooled = _POOLED_PARTS * codes if isinstance(codes, int) else codes
        self._check_shape("head.onnx", pooled, dimensions)

    def _try(self, graph: str) -> None:
        """Run a graph once on zeros. Raises ModelError if it fails, takes too long, or gives no finite numbers."""
        session = self._sessions[graph]
        inputs, width = session.get_inputs()[0], _last_axis(session.get_inputs()[0])
        minutes = () if len(inputs.shape) == 2 else (min(self.manifest.window, TRIAL_MINUTES),)
        zeros = np.zeros((TRIAL_ROWS if not minutes else 2, *minutes, width), np.float32)
        options = onnxruntime.RunOptions()
        timer = threading.Timer(TRIAL_S, setattr, (options, "terminate", True))
        timer.start()
        try:
            outputs = np.asarray(session.run(None, {inputs.name: zeros}, options)[0])
        except Exception as error:  # As in `_session`.
            raise ModelError(f"The model's {graph} cannot be run ({_reason(error)}); train the model again.") from None
        finally:
            timer.cancel()
        if outputs.shape != (len(zeros), _last_axis(session.get_outputs()[0])) or not np.isfinite(outputs).all():
            raise ModelError(f"The model's {graph} gives no finite vector for each row; train the model again.")

    def _check_shape(self, graph: str, inputs: Any, outputs: Any) -> None:
        session = self._sessions[graph]
        sizes = _last_axis(session.get_inputs()[0]), _last_axis(session.get_outputs()[0])
        if sizes != (inputs, outputs):
            raise ModelError(
                f"The model's {graph} turns {sizes[0]!r} numbers into {sizes[1]!r} dimensions, but its manifest needs "
                f"{inputs!r} and {outputs!r}; train the model again."
            )


def _last_axis(tensor: Any) -> Any:
    """The size of a graph input's or output's last axis; a name where the graph leaves it open, None for a scalar."""
    return tensor.shape[-1] if tensor.shape else None


def _session(name: str, graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        check_graph(graph)
    except GraphError as error:
        raise ModelError(
            f"The model's {name} is refused: {error}; use a model that `faultprint train` wrote."
        ) from None
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # The errors of ONNX Runtime have no common base class below this one.
        raise ModelError(f"The model's {name} cannot be run ({_reason(error)}); train the model again.") from None
    if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
        raise ModelError(f"The model's {name} must have one input and one output; train the model again.")
    return session


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


@contextmanager
def _bounded_memory(size: int) -> Iterator[None]:
    """Let this process take at most `size` bytes more within the block, where the system can tell and limit that."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = pages * resource.getpagesize() + size
        limit = wanted if soft == resource.RLIM_INFINITY else min(soft, wanted)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    except (OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
