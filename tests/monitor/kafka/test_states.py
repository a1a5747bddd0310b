"""States on the archive's topic: whole or not seen, and the right one taken up."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka")

from faultprint.errors import UsageError
from faultprint.monitor.kafka import archive as archives
from faultprint.monitor.kafka.archive import StateArchive, ArchiveError, ArchiveIndex, ArchiveManifest
from faultprint.monitor.kafka.states import States
from faultprint.monitor.state.store import Store
from faultprint.publish.senders.kafka_client import KafkaCluster

from ...broker import Broker


@pytest.fixture
def archive(broker: Broker, request: pytest.FixtureRequest) -> StateArchive:
    one = StateArchive(KafkaCluster(broker.told), request.node.name, "group")
    one.create_topic(2)
    one.create_topic(2)  # once is enough
    return one


def kept(path: Path, word: str) -> Path:
    with Store(path) as store:
        store.note({"word": word})
    return path


def word(path: Path) -> str:
    with Store(path) as store:
        return store.facts()["word"]


def put(archive: StateArchive, path: Path, offset: int, shelf: ArchiveIndex) -> ArchiveManifest:
    manifest = archive.upload(1, path, offset, archives.new_state_id())
    archive.publish(1, manifest, shelf)
    return manifest


def test_a_state_comes_back_as_it_was(archive: StateArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "PIECE", 300)
    state = kept(tmp_path / "one", "hello")
    manifest = put(archive, state, 7, ArchiveIndex([], set()))
    shelf = archive.read_index(1)
    assert manifest.pieces > 1 and shelf.manifests == [manifest] and archive.read_index(0).manifests == []
    archive.download(1, manifest, tmp_path / "two")
    assert (tmp_path / "two").read_bytes() == state.read_bytes() and word(tmp_path / "two") == "hello"
    later = put(archive, kept(tmp_path / "one", "again"), 9, shelf)
    assert archive.read_index(1).manifests == [later]  # the older one was taken away


def test_what_is_not_sealed_or_not_whole_is_not_taken(archive: StateArchive, tmp_path: Path) -> None:
    state = kept(tmp_path / "one", "hello")
    half = archive.upload(1, state, 7, archives.new_state_id())
    assert archive.read_index(1).manifests == []
    torn = ArchiveManifest(half.id, 7, half.pieces + 1, half.sha256)
    archive.publish(1, torn, ArchiveIndex([], set()))
    with pytest.raises(ArchiveError, match="not whole"):
        archive.download(1, torn, tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one"]


def test_a_state_that_unpacks_without_end_is_refused(
    archive: StateArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = put(archive, kept(tmp_path / "one", "x"), 7, ArchiveIndex([], set()))
    monkeypatch.setattr(archives, "LARGEST", 1000)
    with pytest.raises(ArchiveError, match="too large"):
        archive.download(1, manifest, tmp_path / "two")


def test_the_newest_state_that_does_not_reach_beyond_the_groups_offset() -> None:
    shelf = ArchiveIndex([ArchiveManifest(str(offset), offset, 1, "") for offset in (5, 9, 7)], set())
    found = [shelf.newest(offset) for offset in (None, 9, 8, 4)]
    assert [one and one.offset for one in found] == [9, 9, 7, None]


def refuse(offset: int) -> None:
    raise ArchiveError("another has it")


def test_the_file_here_or_the_one_from_the_archive(archive: StateArchive, tmp_path: Path) -> None:
    committed: list[int] = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    here, there = (States(archive, tmp_path / name / "state.db", "minutes") for name in ("here", "there"))
    here.take_up(1, None, 2)
    assert not here.path(1).exists()
    with Store(kept(here.path(1), "first")) as store:
        here.hand_on(1, store, 10, committed.append)
        store.note({"word": "further"})
    assert committed == [10]
    there.take_up(1, 12, 2)
    assert word(there.path(1)) == "first"
    here.take_up(1, 12, 2)  # goes on from the very state that the archive has
    assert word(here.path(1)) == "further"
    with Store(kept(there.path(1), "second")) as store:
        there.hand_on(1, store, 20, committed.append)
    here.take_up(1, 20, 2)
    assert word(here.path(1)) == "second"
    with Store(kept(here.path(1), "late")) as store, pytest.raises(ArchiveError):
        here.hand_on(1, store, 30, refuse)
    there.take_up(1, 20, 2)
    assert word(there.path(1)) == "second"
    there.take_up(1, 3, 2)  # somebody set the group's offset back
    assert not there.path(1).exists()
    here.close()
    there.close()


def test_two_processes_do_not_share_a_path(archive: StateArchive, tmp_path: Path) -> None:
    one = States(archive, tmp_path / "state.db", "minutes")
    with pytest.raises(UsageError, match="Another monitor"):
        States(archive, tmp_path / "state.db", "minutes")
    one.close()
    States(archive, tmp_path / "state.db", "minutes").close()


def test_brokers_that_do_not_answer_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "WAIT_S", 0.5)
    away = StateArchive(KafkaCluster("127.0.0.1:9"), "states", "group")
    for call in (
        lambda: away.create_topic(1),
        lambda: away.read_index(0),
        lambda: away.upload(0, kept(tmp_path / "one", "x"), 1, "id"),
    ):
        with pytest.raises(ArchiveError):
            call()
