"""States in the archive: complete or invisible, and the right one is acquired."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka")

from faultprint.errors import UsageError
from faultprint.monitor.kafka import archive as archives
from faultprint.monitor.kafka.archive import ArchiveError, ArchiveIndex, ArchiveManifest, StateArchive
from faultprint.monitor.kafka.states import PartitionStates
from faultprint.monitor.state.store import Store
from faultprint.publish.senders.kafka_client import KafkaCluster

from ...broker import Broker


@pytest.fixture
def archive(broker: Broker, request: pytest.FixtureRequest) -> StateArchive:
    archive = StateArchive(KafkaCluster(broker.client_address), request.node.name, "group")
    archive.create_topic(2)
    archive.create_topic(2)  # an existing topic is no error
    return archive


def write_state(path: Path, word: str) -> Path:
    with Store(path) as store:
        store.save_facts({"word": word})
    return path


def read_word(path: Path) -> str:
    with Store(path) as store:
        return store.facts()["word"]


def upload(archive: StateArchive, path: Path, offset: int, index: ArchiveIndex) -> ArchiveManifest:
    manifest = archive.upload(1, path, offset, archives.new_state_id())
    archive.publish(1, manifest, index)
    return manifest


def test_a_downloaded_state_equals_the_uploaded_one(
    archive: StateArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "CHUNK_BYTES", 300)
    state = write_state(tmp_path / "one", "hello")
    manifest = upload(archive, state, 7, ArchiveIndex([], set()))
    index = archive.read_index(1)
    assert manifest.pieces > 1 and index.manifests == [manifest] and archive.read_index(0).manifests == []
    archive.download(1, manifest, tmp_path / "two")
    assert (tmp_path / "two").read_bytes() == state.read_bytes() and read_word(tmp_path / "two") == "hello"
    later = upload(archive, write_state(tmp_path / "one", "again"), 9, index)
    assert archive.read_index(1).manifests == [later]  # the older one is deleted


def test_unpublished_and_incomplete_states_are_not_used(archive: StateArchive, tmp_path: Path) -> None:
    state = write_state(tmp_path / "one", "hello")
    unpublished = archive.upload(1, state, 7, archives.new_state_id())
    assert archive.read_index(1).manifests == []
    incomplete = ArchiveManifest(unpublished.id, 7, unpublished.pieces + 1, unpublished.sha256)
    archive.publish(1, incomplete, ArchiveIndex([], set()))
    with pytest.raises(ArchiveError, match="incomplete"):
        archive.download(1, incomplete, tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one"]


def test_a_state_that_is_too_large_when_unpacked_is_refused(
    archive: StateArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = upload(archive, write_state(tmp_path / "one", "x"), 7, ArchiveIndex([], set()))
    monkeypatch.setattr(archives, "MAX_STATE_BYTES", 1000)
    with pytest.raises(ArchiveError, match="too large"):
        archive.download(1, manifest, tmp_path / "two")


def test_the_newest_state_up_to_the_committed_offset() -> None:
    index = ArchiveIndex([ArchiveManifest(str(offset), offset, 1, "") for offset in (5, 9, 7)], set())
    newest = [index.newest(offset) for offset in (None, 9, 8, 4)]
    assert [manifest and manifest.offset for manifest in newest] == [9, 9, 7, None]


def refuse(offset: int) -> None:
    raise ArchiveError("another member has the partition")


def test_the_local_file_is_used_if_it_continues_the_archived_state(archive: StateArchive, tmp_path: Path) -> None:
    committed: list[int] = []
    for name in ("local", "remote"):
        (tmp_path / name).mkdir()
    local, remote = (PartitionStates(archive, tmp_path / name / "state.db", "minutes") for name in ("local", "remote"))
    local.acquire(1, None, 2)
    assert not local.path(1).exists()
    with Store(write_state(local.path(1), "first")) as store:
        local.upload(1, store, 10, committed.append)
        store.save_facts({"word": "further"})
    assert committed == [10]
    remote.acquire(1, 12, 2)
    assert read_word(remote.path(1)) == "first"
    local.acquire(1, 12, 2)  # the file continues from the archived state
    assert read_word(local.path(1)) == "further"
    with Store(write_state(remote.path(1), "second")) as store:
        remote.upload(1, store, 20, committed.append)
    local.acquire(1, 20, 2)
    assert read_word(local.path(1)) == "second"
    with Store(write_state(local.path(1), "late")) as store, pytest.raises(ArchiveError):
        local.upload(1, store, 30, refuse)
    remote.acquire(1, 20, 2)
    assert read_word(remote.path(1)) == "second"
    remote.acquire(1, 3, 2)  # the offset of the group was set back
    assert not remote.path(1).exists()
    local.close()
    remote.close()


def test_two_processes_do_not_share_a_path(archive: StateArchive, tmp_path: Path) -> None:
    states = PartitionStates(archive, tmp_path / "state.db", "minutes")
    with pytest.raises(UsageError, match="Another monitor"):
        PartitionStates(archive, tmp_path / "state.db", "minutes")
    states.close()
    PartitionStates(archive, tmp_path / "state.db", "minutes").close()


def test_brokers_that_do_not_answer_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "TIMEOUT_S", 0.5)
    unreachable = StateArchive(KafkaCluster("127.0.0.1:9"), "states", "group")
    for call in (
        lambda: unreachable.create_topic(1),
        lambda: unreachable.read_index(0),
        lambda: unreachable.upload(0, write_state(tmp_path / "one", "x"), 1, "id"),
    ):
        with pytest.raises(ArchiveError):
            call()
