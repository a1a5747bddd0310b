"""The case library: references are read back as they were added, and a bad one is refused."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultprint.cases import exchange
from faultprint.cases.decision import Rule
from faultprint.cases.library import APPLICATION_ID, SCHEMA_VERSION, Library
from faultprint.cases.reference import Reference
from faultprint.condition_name import check_condition
from faultprint.errors import LibraryError
from faultprint.tables import RESERVED_CONDITIONS

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


def reference(condition: str = "hss-down", seed: int = 0, **changes: object) -> Reference:
    vector = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    plain = Reference(condition, vector, "model-a", "p1", "net", START, START + timedelta(hours=1), 40, START)
    return dataclasses.replace(plain, **changes)


def same(left: Reference, right: Reference) -> bool:
    return all(
        np.array_equal(getattr(left, field.name), getattr(right, field.name)) for field in dataclasses.fields(Reference)
    )


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


def allowed(name: str) -> bool:
    """Whether a condition may have this name, as it is."""
    try:
        return check_condition(name) == name
    except LibraryError:
        return False


names = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30).filter(allowed)
moments = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
vectors = st.lists(st.floats(-(2.0**49), 2.0**49, width=32), min_size=4, max_size=4)


@st.composite
def references(draw: st.DrawFn) -> Reference:
    start = draw(moments)
    return Reference(
        condition=draw(names),
        vector=np.array(draw(vectors), np.float32),
        model=draw(st.sampled_from(["model-a", "model-b"])),
        node=draw(text),
        network=draw(text),
        start=start,
        end=start + draw(st.timedeltas(timedelta(microseconds=1), timedelta(days=400))),
        windows=draw(st.integers(1, 10**6)),
        created=draw(moments),
        comment=draw(text),
    )


@given(st.lists(references(), max_size=6))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_saving_loading_exporting_and_importing_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, added: list[Reference]
) -> None:
    folder = tmp_path_factory.mktemp("library")
    by_id = {item.id: item for item in reversed(added)}
    with Library.open(folder / "cases.db", create=True) as library:
        assert set(library.add(added)) == set(by_id)
    with Library.open(folder / "cases.db") as library:
        stored = library.references()
        assert {item.id for item in stored} == set(by_id)
        assert all(same(item, by_id[item.id]) for item in stored)
        assert library.add(added) == []
    assert exchange.export(stored, folder / "cases.jsonl") == len(by_id)
    with Library.open(":memory:") as other:
        assert set(exchange.import_into(other, folder / "cases.jsonl")) == set(by_id)
        assert all(same(*pair) for pair in zip(other.references(), stored, strict=True))
        assert exchange.import_into(other, folder / "cases.jsonl") == []


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_any_text_is_a_reference_or_one_sentence(line: str) -> None:
    with pytest.raises(LibraryError) as caught:
        exchange.decode(line, "x")
    assert "\n" not in str(caught.value).replace(line, "")


@given(references(), st.data())
@settings(max_examples=100)
def test_a_changed_line_is_refused(added: Reference, data: st.DataObject) -> None:
    fields = json.loads(exchange.encode(added))
    name = data.draw(st.sampled_from(sorted(fields)))
    fields[name] = data.draw(st.sampled_from([None, -1, "?", [], {}, True, 1e300, [1e300], 10**400, ["1"]]))
    if name == "comment" and fields[name] == "?":
        return  # a comment is free, and no part of what is enrolled
    with pytest.raises(LibraryError):
        exchange.decode(json.dumps(fields), "x")


@pytest.mark.parametrize("name", [*sorted(RESERVED_CONDITIONS), "", " x", "x\n", "x" * 201])
def test_a_reserved_or_unreadable_name_is_refused(name: str) -> None:
    with Library.open(":memory:") as library, pytest.raises(LibraryError, match="cannot name a condition"):
        library.add([reference(name)])


def test_normal_can_be_enrolled() -> None:
    with Library.open(":memory:") as library:
        assert len(library.add([reference("normal")])) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vector": np.full(8, np.nan, np.float32)}, "not finite"),
        ({"vector": np.zeros((2, 4), np.float32)}, "one row of float32"),
        ({"vector": np.zeros(8)}, "one row of float32"),
        ({"vector": np.zeros(7, np.float32)}, "dimensions"),
        ({"end": START}, "not after its start"),
        ({"windows": 0}, "at least 1"),
    ],
)
def test_adding_is_all_or_nothing(changes: dict[str, object], words: str) -> None:
    with Library.open(":memory:") as library:
        with pytest.raises(LibraryError, match=words):
            library.add([reference(), reference(seed=1, **changes)])
        assert library.references() == []


def test_import_is_all_or_nothing_and_checks_the_model(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(exchange.encode(reference()) + "\n" + exchange.encode(reference(seed=1))[:-3] + "\n")
    with Library.open(":memory:") as library:
        with pytest.raises(LibraryError, match="line 2 is not JSON"):
            exchange.import_into(library, path)
        path.write_text(exchange.encode(reference()) + "\n")
        with pytest.raises(LibraryError, match="belongs to the model model-a, but model-z"):
            exchange.import_into(library, path, model="model-z")
        assert library.references() == []
        assert exchange.import_into(library, path, model="model-a") == [reference().id]


def test_show_and_remove_take_the_beginning_of_an_id(tmp_path: Path) -> None:
    with Library.open(tmp_path / "cases.db", create=True) as library:
        first, second = library.add([reference(), reference("dns-slow", seed=1)])
        assert library.find(first[:8]).condition == "hss-down"
        with pytest.raises(LibraryError, match="no reference"):
            library.remove([first, "zz"])
        assert len(library.references()) == 2
        assert [item.id for item in library.remove([first])] == [first]
        assert [item.id for item in library.references()] == [second]
        with pytest.raises(LibraryError):
            library.find("")
        with pytest.raises(LibraryError, match="no reference"):
            library.find("%")


def test_references_must_fit_the_model() -> None:
    with Library.open(":memory:") as library:
        with pytest.raises(LibraryError, match="holds no reference"):
            library.for_model("model-a", 8)
        library.add([reference()])
        assert len(library.for_model("model-a", 8)) == 1
        with pytest.raises(LibraryError, match="the model in use is model-b"):
            library.for_model("model-b", 8)
        with pytest.raises(LibraryError, match="8 dimensions"):
            library.for_model("model-a", 9)


def test_two_connections_see_one_another(tmp_path: Path) -> None:
    with (
        Library.open(tmp_path / "cases.db", create=True) as writer,
        Library.open(tmp_path / "cases.db") as reader,
    ):
        writer.add([reference()])
        assert len(reader.references()) == 1


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no case library at"):
        Library.open(tmp_path / "absent.db")
    with pytest.raises(LibraryError, match="does not exist"):
        Library.open(tmp_path / "absent" / "cases.db", create=True)
    text_file = tmp_path / "text.db"
    text_file.write_text("no database " * 200)
    with pytest.raises(LibraryError, match="cannot be read as a case library"):
        Library.open(text_file)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(LibraryError, match="not a case library"):
        Library.open(other)
    future = tmp_path / "future.db"
    with sqlite3.connect(future) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(LibraryError, match=f"version {SCHEMA_VERSION + 1}"):
        Library.open(future)


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_library_is_upgraded(tmp_path: Path, version: int) -> None:
    path = tmp_path / "cases.db"
    with Library.open(path, create=True) as library:
        library.set_rules("m", [Rule(max_distance_ratio=0.7, unknown_radius=3, persistence=2, sharpness=4.0)])
    with sqlite3.connect(path) as connection:
        for column in ("sharpness", "unknown_doubt")[: 3 - version]:
            connection.execute(f"ALTER TABLE rule DROP COLUMN {column}")
        connection.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with Library.open(path) as library:
        assert library.rule("m", 2) is not None
    assert path.read_bytes() == before, "who only reads changes nothing"
    for _ in range(2):
        with Library.open(path) as library:
            assert library.rule("m", 2) == Rule(max_distance_ratio=0.7, unknown_radius=3, persistence=2)
            library.set_rules("m", [])
            library.set_rules("m", [Rule(max_distance_ratio=0.7, unknown_radius=3, persistence=2)])


def test_a_damaged_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cases.db"
    with Library.open(path, create=True) as library:
        library.add([reference()])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE reference SET vector = x'0000c07f'")
    with Library.open(path) as library, pytest.raises(LibraryError, match=reference().id):
        library.references()
