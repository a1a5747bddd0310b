"""docs/reference/api.md: the public names with their signatures and docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Final

import faultprint as fp

_INTRODUCTION: Final = """\
# Python API

`import faultprint as fp` offers these names. Everything else in the package may change without notice. [Use Faultprint from
Python](../guide/python.md) is the introduction. This page is generated from the docstrings.
"""
_GROUPS: Final = ("Functions", "Classes", "Errors and warnings", "Values")


def page() -> str:
    """The whole page."""
    things = {name: getattr(fp, name) for name in fp.__all__}
    parts = [_INTRODUCTION]
    for title in _GROUPS:
        parts.append(f"## {title}\n")
        parts += [part for name, thing in things.items() if _group(thing) == title for part in _entry(name, thing)]
    return "\n".join(parts)


def _group(thing: Any) -> str:
    if inspect.isclass(thing):
        return "Errors and warnings" if issubclass(thing, Exception) else "Classes"
    return "Functions" if inspect.isfunction(thing) else "Values"


def _entry(name: str, thing: Any) -> Iterator[str]:
    if name == "__version__":
        yield "### `fp.__version__`\n\nThe version of the package, a string.\n"
        return
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        yield f"### `fp.{name}`\n\nA `{type(thing).__name__}`.\n"
        return
    is_error = inspect.isclass(thing) and issubclass(thing, Exception)
    yield f"### `fp.{name}{'' if is_error else _signature(thing)}`\n"
    yield _text(thing)
    if inspect.isclass(thing) and not is_error:
        for member, value in vars(thing).items():
            plain = value.__func__ if isinstance(value, classmethod) else value
            if inspect.isfunction(plain) and not member.startswith("_") and plain.__doc__:
                yield f"#### `{member}{_signature(getattr(thing, member))}`\n"
                yield _text(plain)


def _signature(thing: Any) -> str:
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in inspect.signature(thing).parameters.items()
        if name != "self"
    ]
    return str(inspect.Signature(parameters))


def _text(thing: Any) -> str:
    return f"```text\n{inspect.cleandoc(thing.__doc__ or '')}\n```\n"
