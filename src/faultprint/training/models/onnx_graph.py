"""The ONNX graphs of the networks, built node by node, so that the runtime needs neither torch nor its exporter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from faultprint.training.networks.layers import SigmoidLinear, UnitLinear
from faultprint.training.networks.pooled import PooledNetwork, SpanLinear
from faultprint.training.networks.reference_lstm import KerasLSTM, ReferenceLstm

_OPSET: Final = 17
_IR_VERSION: Final = 8
"""Old enough for every ONNX Runtime since 2022."""
_GATES: Final = (0, 3, 1, 2)
"""torch keeps an LSTM's gates as input, forget, cell, output; ONNX as input, output, forget, cell."""


class GraphBuilder:
    """Collects the nodes and constants of one graph. A node has the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Tensor | np.ndarray[Any, Any]) -> str:
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, operator: str, *inputs: str, outputs: int = 1, keep: int = 0, **attributes: Any) -> str:
        """Add a node and return the name of its output number `keep`; its other outputs are not used."""
        name = f"n{len(self.nodes)}"
        names = [name if i == keep else "" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return name

    def linear(self, x: str, layer: nn.Linear) -> str:
        y = self.add("Gemm", x, self.constant(layer.weight), self.constant(layer.bias), transB=1)
        if isinstance(layer, UnitLinear):
            return self.add("LpNormalization", y, axis=-1, p=2)
        return self.add("Sigmoid", y) if isinstance(layer, SigmoidLinear) else y

    def span_linear(self, x: str, layer: SpanLinear) -> str:
        return self.add("Add", self.add("MatMul", x, self.constant(layer.weight)), self.constant(layer.bias))

    def concat(self, parts: Sequence[str], axis: int) -> str:
        return self.add("Concat", *parts, axis=axis) if len(parts) > 1 else parts[0]

    def parts(self, x: str, blocks: int, sizes: Sequence[int]) -> list[str]:
        """Split (N, blocks · sum(sizes)) into (N, blocks · size) for each size, taken from every block."""
        if len(sizes) == 1:
            return [x]
        whole = self.add("Reshape", x, self.constant(np.array([-1, blocks, sum(sizes)])))
        edges = np.cumsum([0, *sizes])
        bounds = [[self.constant(np.array([edge])) for edge in pair] for pair in pairwise(edges.tolist())]
        cut = [self.add("Slice", whole, *pair, self.constant(np.array([2]))) for pair in bounds]
        return [
            self.add("Reshape", part, self.constant(np.array([-1, blocks * size])))
            for part, size in zip(cut, sizes, strict=True)
        ]

    def norm(self, x: str, layer: nn.LayerNorm | nn.BatchNorm1d) -> str:
        return self.layer_norm(x, layer) if isinstance(layer, nn.LayerNorm) else self.batch_norm(x, layer)

    def layer_norm(self, x: str, layer: nn.LayerNorm) -> str:
        return self.add(
            "LayerNormalization", x, self.constant(layer.weight), self.constant(layer.bias), axis=-1, epsilon=layer.eps
        )

    def batch_norm(self, x: str, layer: nn.BatchNorm1d) -> str:
        """Trained mean and variance, as one factor and one summand for each channel (the last axis)."""
        assert layer.running_var is not None and layer.running_mean is not None
        factor = layer.weight / (layer.running_var + layer.eps).sqrt()
        term = layer.bias - layer.running_mean * factor
        return self.add("Add", self.add("Mul", x, self.constant(factor)), self.constant(term))

    def lstm(self, x: str, layer: KerasLSTM, *, last: bool) -> str:
        """(T, B, inputs) → (T, 1, B, H), or the last state (1, B, H)."""
        kernel, recurrent, bias = (
            _regated(w.detach().cpu().numpy()) for w in (layer.kernel, layer.recurrent, layer.bias)
        )
        weights = [self.constant(w[None]) for w in (kernel, recurrent, np.concatenate((bias, np.zeros_like(bias))))]
        return self.add("LSTM", x, *weights, outputs=3, keep=1 if last else 0, hidden_size=layer.hidden)

    def bytes(self, output: str, inputs: tuple[int | str, ...], outputs: tuple[int | str, ...]) -> bytes:
        """The serialised model with input `x` and output `y` of these shapes. A string stands for any length."""
        self.nodes.append(helper.make_node("Identity", [output], ["y"]))
        graph = helper.make_graph(
            self.nodes,
            "faultprint",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, inputs)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, outputs)],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], producer_name="faultprint")
        model.ir_version = _IR_VERSION
        onnx.checker.check_model(model)
        serialised: bytes = model.SerializeToString()
        return serialised


def _regated(weight: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    parts = np.split(weight, 4)
    return np.concatenate([parts[i] for i in _GATES])


def reference_graphs(network: ReferenceLstm) -> Mapping[str, bytes]:
    """The graph window.onnx: raw windows (B, T, F) → vectors (B, D)."""
    g = GraphBuilder()
    x = g.add("Transpose", g.batch_norm("x", network.norm_input), perm=[1, 0, 2])
    sequence = g.add("Squeeze", g.lstm(x, network.lstm_1, last=False), g.constant(np.array([1])))
    state = g.add("Squeeze", g.lstm(sequence, network.lstm_2, last=True), g.constant(np.array([0])))
    hidden = g.add("Relu", g.linear(g.batch_norm(state, network.norm_state), network.dense))
    y = g.batch_norm(g.linear(g.batch_norm(hidden, network.norm_dense), network.output), network.norm_output)
    y = g.add("Sigmoid", y) if network.sigmoid else y
    return {"window.onnx": g.bytes(y, ("B", "T", network.features), ("B", network.dimensions))}


def pooled_graphs(*networks: PooledNetwork) -> Mapping[str, bytes]:
    """minute.onnx: inputs (N, S · I) → codes (N, S · H); head.onnx: pooled codes (N, 3 · S · H) → vectors (N, D).

    Several networks are concatenated as in `networks.concat.ConcatEncoder`.
    """
    spans, inputs = len(networks[0].spans), networks[0].inputs
    sizes = [network.code for network in networks]
    code, dimensions = sum(sizes), sum(network.dimensions for network in networks)
    g = GraphBuilder()
    x = g.add("Reshape", "x", g.constant(np.array([-1, spans, inputs])))
    x = g.add("Transpose", x, perm=[1, 0, 2])
    codes = g.concat([_codes(g, x, network) for network in networks], axis=2)
    codes = g.add("Reshape", g.add("Transpose", codes, perm=[1, 0, 2]), g.constant(np.array([-1, spans * code])))
    minute = g.bytes(codes, ("N", spans * inputs), ("N", spans * code))
    h = GraphBuilder()
    parts = h.parts("x", 3 * spans, sizes)
    vectors = h.concat([_vectors(h, part, network) for part, network in zip(parts, networks, strict=True)], axis=1)
    return {"minute.onnx": minute, "head.onnx": h.bytes(vectors, ("N", 3 * spans * code), ("N", dimensions))}


def _codes(g: GraphBuilder, x: str, network: PooledNetwork) -> str:
    """(S, N, I) → (S, N, H)."""
    hidden = g.add("Relu", g.norm(g.span_linear(x, network.first), network.norm))
    return g.add("Relu", g.span_linear(hidden, network.second))


def _vectors(h: GraphBuilder, pooled: str, network: PooledNetwork) -> str:
    """(N, 3 · S · H) → (N, D)."""
    hidden = h.add("Relu", h.norm(h.linear(pooled, network.head_first), network.head_norm))
    return h.linear(hidden, network.head_second)
