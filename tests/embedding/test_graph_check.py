"""A graph of a model file may hold only what training writes, and may not fill the memory or run for long."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from faultprint.embedding import encoder
from faultprint.embedding.encoder import OnnxEncoder
from faultprint.embedding.graph_check import MAX_NODES, OPERATORS, GraphError, check_graph
from faultprint.embedding.model_file import ModelArtifact
from faultprint.errors import ModelError
from faultprint.training.models import onnx_graph


def graph(*nodes: Any, constants: tuple[Any, ...] = (), change: Callable[[Any], None] = lambda model: None) -> bytes:
    """A serialised graph from x (N, 4) to y (N, 4)."""
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("N", 4)) for name in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "g", shapes[:1], shapes[1:], constants))
    change(model)
    serialised: bytes = model.SerializeToString()
    return serialised


def constant(name: str, shape: tuple[int, ...] = (4,)) -> Any:
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def node(operator: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def external(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def function(model: Any) -> None:
    identity = helper.make_node("Identity", ["a"], ["b"])
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], [identity], [helper.make_opsetid("", 17)]))


def sparse(model: Any) -> None:
    values = helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0])
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))


BRANCH = helper.make_graph([node("Identity", "x", "z")], "b", [], [helper.make_tensor_value_info("z", 1, ("N", 4))])
REFUSED: dict[str, tuple[bytes, str]] = {
    "a loop": (graph(node("Loop", "x", body=BRANCH)), "'Loop' is not allowed"),
    "a custom operator": (graph(node("Relu", "x", domain="com.evil")), "'Relu' is not allowed"),
    "an operator that makes data": (graph(node("Expand", "x c"), constants=(constant("c"),)), "'Expand'"),
    "a branch in an attribute": (graph(node("Relu", "x", body=BRANCH)), "an attribute of Relu holds"),
    "a tensor in an attribute": (graph(node("Relu", "x", value=constant("c"))), "an attribute of Relu holds"),
    "constants alone": (graph(node("MatMul", "c c"), constants=(constant("c"),)), "computes on constants only"),
    "an input that is a constant": (graph(node("Relu", "x"), constants=(constant("x"),)), "computes on constants only"),
    "another file": (graph(node("Add", "x c"), constants=(constant("c"),), change=external), "outside the model file"),
    "a function": (graph(node("Relu", "x"), change=function), "defines functions"),
    "a sparse constant": (graph(node("Relu", "x"), change=sparse), "sparse constants"),
    "too many nodes": (graph(*[node("Relu", "x")] * (MAX_NODES + 1)), "1001 nodes"),
    "no graph": (b"", "0 graphs"),
    "text": (b"not a graph at all", "protocol buffer|ends within"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_training_does_not_write_is_refused(name: str) -> None:
    serialised, sentence = REFUSED[name]
    with pytest.raises(GraphError, match=sentence):
        check_graph(serialised)


def test_what_training_writes_is_allowed(pooled: ModelArtifact, recurrent: ModelArtifact) -> None:
    for artifact in (pooled, recurrent):
        for serialised in artifact.graphs.values():
            check_graph(serialised)
            assert {each.op_type for each in onnx.load_from_string(serialised).graph.node} <= OPERATORS


def test_every_allowed_operator_is_one_that_training_writes() -> None:
    source = Path(onnx_graph.__file__).read_text(encoding="utf-8")
    assert all(f'"{name}"' in source for name in OPERATORS)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_checked(data: bytes) -> None:
    with suppress(GraphError):
        check_graph(data)


@given(st.data())
def test_a_graph_with_changed_bytes_is_refused_or_runs_or_is_a_model_error(
    pooled: ModelArtifact, data: st.DataObject
) -> None:
    head = bytearray(pooled.graphs["head.onnx"])
    for _ in range(3):
        head[data.draw(st.integers(0, len(head) - 1))] = data.draw(st.integers(0, 255))
    try:
        OnnxEncoder(replace(pooled, graphs={**pooled.graphs, "head.onnx": bytes(head)}))
    except ModelError as error:
        assert str(error).count("\n") == 0


def outer_product(pooled: ModelArtifact) -> bytes:
    """A graph that is small, and whose intermediate result has (128 · 432)² numbers."""
    width = onnx.load_from_string(pooled.graphs["head.onnx"]).graph.input[0].type.tensor_type.shape.dim[1].dim_value
    dimensions = pooled.manifest.dimensions
    shape = [
        numpy_helper.from_array(np.array(sizes, np.int64), name) for name, sizes in (("l", [-1, 1]), ("m", [1, -1]))
    ]
    nodes = [node("Reshape", "x l", "a"), node("Reshape", "x m", "b"), node("MatMul", "a b", "y")]
    values = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, ("N", d)) for n, d in (("x", width), ("y", dimensions))
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], shape))
    serialised: bytes = model.SerializeToString()
    return serialised


def test_a_graph_that_would_fill_the_memory_is_refused(pooled: ModelArtifact) -> None:
    with pytest.raises(ModelError, match=r"head\.onnx cannot be run"):
        OnnxEncoder(replace(pooled, graphs={**pooled.graphs, "head.onnx": outer_product(pooled)}))
    OnnxEncoder(pooled)  # The limit is gone.
    assert len(np.zeros(2**28, np.uint8)) == 2**28


def test_a_graph_that_runs_too_long_is_refused(pooled: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "TRIAL_S", 0.0)
    monkeypatch.setattr(encoder, "TRIAL_ROWS", 20_000)
    with pytest.raises(ModelError, match=r"minute\.onnx cannot be run \(.*terminate"):
        OnnxEncoder(pooled)


def test_a_graph_that_gives_no_numbers_is_refused(pooled: ModelArtifact) -> None:
    model = onnx.load_from_string(pooled.graphs["head.onnx"])
    bias = model.graph.initializer[-1]
    bias.CopyFrom(numpy_helper.from_array(np.full(tuple(bias.dims), np.nan, np.float32), bias.name))
    with pytest.raises(ModelError, match="no finite vector"):
        OnnxEncoder(replace(pooled, graphs={**pooled.graphs, "head.onnx": model.SerializeToString()}))
