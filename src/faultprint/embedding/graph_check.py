"""What a model's ONNX graph may contain, checked before ONNX Runtime sees it.

A graph is a protocol buffer (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Only its operators, attributes and
constants are read here, without the package `onnx`. A graph may use the operators that training writes, on data that
comes from its input. It may not call functions, hold other graphs, or name files.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

OPERATORS: Final = frozenset(
    {
        "Add", "Concat", "Gemm", "Identity", "LSTM", "LayerNormalization", "LpNormalization", "MatMul", "Mul", "Relu",
        "Reshape", "Sigmoid", "Slice", "Squeeze", "Transpose",
    }
)  # fmt: skip
MAX_NODES: Final = 1000
_MAX_CONSTANTS: Final = 1000

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_CONSTANT, _GRAPH_INPUT, _GRAPH_SPARSE = 1, 5, 11, 15
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
_ATTRIBUTE_SIMPLE: Final = frozenset({1, 2, 3, 4, 7, 8, 13, 20})
"""name, float, integer, string, floats, integers, documentation and type: no tensor, no graph."""
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_VALUE_NAME, _TENSOR_NAME = 1, 8

Field = tuple[int, int | bytes]


class GraphError(ValueError):
    """A graph breaks a rule. The message names the rule."""


def check_graph(serialised: bytes) -> None:
    """Raises GraphError unless the model graph keeps to the rules above."""
    graphs = [value for number, value in _fields(serialised) if number == _MODEL_GRAPH]
    if any(number == _MODEL_FUNCTIONS for number, _ in _fields(serialised)):
        raise GraphError("it defines functions")
    if len(graphs) != 1:
        raise GraphError(f"it holds {len(graphs)} graphs, but must hold one")
    _check_fields(list(_fields(_message(graphs[0]))))


def _check_fields(fields: list[Field]) -> None:
    nodes = [_message(value) for number, value in fields if number == _GRAPH_NODE]
    constants = [_message(value) for number, value in fields if number == _GRAPH_CONSTANT]
    if len(nodes) > MAX_NODES or len(constants) > _MAX_CONSTANTS:
        raise GraphError(f"it has {len(nodes)} nodes and {len(constants)} constants; {MAX_NODES} of each are allowed")
    if any(number == _GRAPH_SPARSE for number, _ in fields):
        raise GraphError("it has sparse constants")
    names = {_check_constant(constant) for constant in constants}
    inputs = {_text(_message(value), _VALUE_NAME) for number, value in fields if number == _GRAPH_INPUT}
    computed = inputs - names
    for node in nodes:
        computed |= _check_node(node, computed)


def _check_constant(tensor: bytes) -> str:
    """The name of a constant. Raises GraphError for one that is stored in another file."""
    for number, value in _fields(tensor):
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value):
            raise GraphError("it names data outside the model file")
    return _text(tensor, _TENSOR_NAME)


def _check_node(node: bytes, computed: set[str]) -> set[str]:
    """The names of a node's outputs. Its first input must be computed from the graph's input: see the module."""
    fields = list(_fields(node))
    operator = _text(node, _NODE_OPERATOR)
    if operator not in OPERATORS or _text(node, _NODE_DOMAIN) not in ("", "ai.onnx"):
        raise GraphError(f"the operator {operator[:40]!r} is not allowed")
    for number, value in fields:
        if number == _NODE_ATTRIBUTE and any(part not in _ATTRIBUTE_SIMPLE for part, _ in _fields(_message(value))):
            raise GraphError(f"an attribute of {operator} holds a tensor or a graph")
    inputs = [_message(value).decode("utf-8", "replace") for number, value in fields if number == _NODE_INPUT]
    if not inputs or inputs[0] not in computed:
        raise GraphError(f"{operator} computes on constants only")
    return {_message(value).decode("utf-8", "replace") for number, value in fields if number == _NODE_OUTPUT} - {""}


def _text(message: bytes, wanted: int) -> str:
    """The last text field of this number; empty if there is none."""
    found = ""
    for number, value in _fields(message):
        if number == wanted:
            found = _message(value).decode("utf-8", "replace")
    return found


def _message(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise GraphError("a field has another type than ONNX defines")
    return value


def _fields(message: bytes) -> Iterator[Field]:
    """Number and value of every field of a protocol buffer. Raises GraphError for bytes that are none."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise GraphError("it is no protocol buffer")
        if at + size > len(message):
            raise GraphError("it ends within a field")
        yield number, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number at `at` in base 128, and the offset after it."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
    raise GraphError("it is no protocol buffer")
