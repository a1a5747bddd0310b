"""The ONNX graphs of the networks, written node by node: what runs at work is no more than what was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from faultprint.training.networks.layers import SigmoidLinear, UnitLinear
from faultprint.training.networks.pooled import PooledNetwork, SpanLinear
from faultprint.training.networks.posts import KerasLSTM, PostsNetwork

_OPSET: Final = 17
_IR_VERSION: Final = 8
"""Old enough for every ONNX Runtime since 2022."""
_GATES: Final = (0, 3, 1, 2)
"""torch keeps an LSTM's gates as input, forget, cell, output; ONNX as input, output, forget, cell."""


class GraphBuilder:
    """Nodes in order; a node's name is its output's name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Tensor | np.ndarray[Any, Any]) -> str:
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, operator: str, *inputs: str, outputs: int = 1, keep: int = 0, **attributes: Any) -> str:
        """Add a node of so many outputs; the name of output `keep`, the others unnamed."""
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

    def parts(self, x: str, sizes: Sequence[int], axis: int) -> list[str]:
        """`x` cut along the axis into so many each."""
        if len(sizes) == 1:
            return [x]
        edges = [self.constant(np.array([edge])) for edge in np.cumsum([0, *sizes]).tolist()]
        along = self.constant(np.array([axis]))
        return [self.add("Slice", x, *pair, along) for pair in pairwise(edges)]

    def norm(self, x: str, layer: nn.LayerNorm | nn.BatchNorm1d) -> str:
        return self.layer_norm(x, layer) if isinstance(layer, nn.LayerNorm) else self.batch_norm(x, layer)

    def layer_norm(self, x: str, layer: nn.LayerNorm) -> str:
        return self.add(
            "LayerNormalization", x, self.constant(layer.weight), self.constant(layer.bias), axis=-1, epsilon=layer.eps
        )

    def batch_norm(self, x: str, layer: nn.BatchNorm1d) -> str:
        """The trained mean and variance as one factor and one term per channel (the last axis)."""
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
        """The serialised model with input `x` and output `y` of these shapes (a word is a free length)."""
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


def posts_graphs(network: PostsNetwork) -> Mapping[str, bytes]:
    """window.onnx: raw windows (B, T, F) → vectors (B, D)."""
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

    Of several networks, as `networks.joined.Joined` puts them side by side.
    """
    spans, inputs = len(networks[0].spans), networks[0].inputs
    sizes = [network.code for network in networks]
    code, dimensions = sum(sizes), sum(network.dimensions for network in networks)
    g = GraphBuilder()
    x = g.add("Reshape", "x", g.constant(np.array([-1, spans, inputs])))
    codes = g.add("Transpose", _codes(g, g.add("Transpose", x, perm=[1, 0, 2]), networks), perm=[1, 0, 2])
    codes = g.add("Reshape", codes, g.constant(np.array([-1, spans * code])))
    minute = g.bytes(codes, ("N", spans * inputs), ("N", spans * code))
    h = GraphBuilder()
    vectors = _vectors(h, networks)
    return {"minute.onnx": minute, "head.onnx": h.bytes(vectors, ("N", 3 * spans * code), ("N", dimensions))}


def _codes(g: GraphBuilder, x: str, networks: Sequence[PooledNetwork]) -> str:
    """(S, N, I) → (S, N, H). The first layers are one product for all: the more columns, the nearer to the machine's best."""
    weight, bias = (
        torch.cat([getattr(network.first, name) for network in networks], dim=2) for name in ("weight", "bias")
    )
    first = g.add("Add", g.add("MatMul", x, g.constant(weight)), g.constant(bias))
    parts = g.parts(first, [network.first.weight.shape[2] for network in networks], axis=2)
    hidden = [g.add("Relu", g.norm(part, network.norm)) for part, network in zip(parts, networks, strict=True)]
    second = [g.span_linear(part, network.second) for part, network in zip(hidden, networks, strict=True)]
    return g.concat([g.add("Relu", part) for part in second], axis=2)


def _vectors(h: GraphBuilder, networks: Sequence[PooledNetwork]) -> str:
    """(N, 3 · S · H) → (N, D). The first layers are one product for all, with weights of 0 for what is not a network's own."""
    if len(networks) == 1:
        first = h.linear("x", networks[0].head_first)
    else:
        weight = h.constant(_side_by_side(networks))
        bias = h.constant(torch.cat([network.head_first.bias for network in networks]))
        first = h.add("Gemm", "x", weight, bias, transB=1)
    parts = h.parts(first, [network.head_first.out_features for network in networks], axis=1)
    hidden = [h.add("Relu", h.norm(part, network.head_norm)) for part, network in zip(parts, networks, strict=True)]
    return h.concat(
        [h.linear(part, network.head_second) for part, network in zip(hidden, networks, strict=True)], axis=1
    )


def _side_by_side(networks: Sequence[PooledNetwork]) -> Tensor:
    """(ΣU, 3 · S · H) the weights of the heads' first layers over the codes of all."""
    sizes = [network.code for network in networks]
    rows = []
    for network, end in zip(networks, np.cumsum(sizes).tolist(), strict=True):
        own = network.head_first.weight.detach()
        whole = own.new_zeros(len(own), 3 * len(network.spans), sum(sizes))
        whole[:, :, end - network.code : end] = own.view(len(own), -1, network.code)
        rows.append(whole.flatten(1))
    return torch.cat(rows)
