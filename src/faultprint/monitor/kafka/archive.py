"""States on a compacted topic: each partition's in the partition of the same number, so that whoever takes it up finds it.

    key               value
    <id>/<number>     a piece of the state file, gzip
    <id>              the manifest: JSON of `Manifest`; written last, and only by who may still commit for the partition
    either            nothing: an older state, taken away by who wrote a newer one

An offset of the group means that all before it is in some state: the one to take up is the newest that does not reach beyond.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from faultprint.errors import FaultprintError
from faultprint.files import replacing
from faultprint.publish.senders.kafka_client import KafkaCluster

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, Producer

CHUNK_BYTES: Final = 512 * 1024
"""Bytes of a piece; a broker takes 1 MiB unless told otherwise."""
MAX_CHUNKS: Final = 8192
"""Pieces of a state, at most."""
MAX_STATE_BYTES: Final = 16 * 1024**3
"""Bytes of an unpacked state, at most."""
TIMEOUT_S: Final = 10.0
"""For word of the brokers, at most."""


class ArchiveError(FaultprintError):
    """The brokers did not answer, or a state cannot be had from them."""


@dataclass(frozen=True, slots=True)
class ArchiveManifest:
    """A whole state: `offset` is that of the first record of the topic of minutes that is not in it."""

    id: str
    offset: int
    pieces: int
    sha256: str


@dataclass(slots=True)
class ArchiveIndex:
    """What is there of one partition: the states, and the keys of everything."""

    manifests: list[ArchiveManifest]
    keys: set[bytes]

    def newest(self, offset: int | None) -> ArchiveManifest | None:
        """The newest state that does not reach beyond the group's offset (None: it has none)."""
        fitting = [one for one in self.manifests if offset is None or one.offset <= offset]
        return max(fitting, key=lambda one: one.offset, default=None)


class StateArchive:
    """The topic of states. All methods raise ArchiveError where the brokers do not answer."""

    def __init__(self, cluster: KafkaCluster, topic: str, group: str) -> None:
        """Raises UsageError."""
        self._cluster, self._topic, self._group = cluster, topic, group
        self._producer = self._writer()

    def create_topic(self, partitions: int) -> None:
        """Make the topic if it is not there."""
        from confluent_kafka import KafkaException
        from confluent_kafka.cimpl import NewTopic

        topic = NewTopic(self._topic, partitions, config={"cleanup.policy": "compact"})
        admin = self._cluster.admin()
        try:
            for made in admin.create_topics([topic], request_timeout=TIMEOUT_S).values():
                made.result(TIMEOUT_S)
        except (KafkaException, TimeoutError) as error:
            if isinstance(error, TimeoutError) or error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise ArchiveError(f"The topic {self._topic} cannot be made ({error or 'no answer'}).") from None

    def read_index(self, partition: int) -> ArchiveIndex:
        """What is there of a partition."""
        shelf = ArchiveIndex([], set())
        found: dict[bytes, ArchiveManifest] = {}
        with self._reader() as reader:
            for message in self._records(reader, partition):
                key, value = _bytes(message.key()), message.value()
                if value is None:
                    shelf.keys.discard(key)
                    found.pop(key, None)
                    continue
                shelf.keys.add(key)
                if b"/" not in key and (manifest := _manifest(value)):
                    found[key] = manifest
        shelf.manifests = list(found.values())
        return shelf

    def download(self, partition: int, manifest: ArchiveManifest, path: Path) -> None:
        """Put a state at `path`, whole or not at all."""
        digest, number, size = hashlib.sha256(), 0, 0
        with self._reader() as reader, replacing(path) as temporary:
            packed = temporary.with_name(temporary.name + ".gz")
            try:
                with packed.open("wb") as file:
                    for message in self._records(reader, partition):
                        if number < manifest.pieces and message.key() == _key(manifest.id, number):
                            piece = _bytes(message.value())
                            digest.update(piece)
                            file.write(piece)
                            number += 1
                if (number, digest.hexdigest()) != (manifest.pieces, manifest.sha256):
                    raise ArchiveError(
                        f"The state {manifest.id} of partition {partition} is not whole in {self._topic}."
                    )
                with gzip.open(packed) as inside, temporary.open("wb") as out:
                    while block := inside.read(CHUNK_BYTES):
                        size += len(block)
                        if size > MAX_STATE_BYTES:
                            raise ArchiveError(f"The state {manifest.id} of partition {partition} is too large.")
                        out.write(block)
            finally:
                packed.unlink(missing_ok=True)

    def upload(self, partition: int, path: Path, offset: int, identity: str) -> ArchiveManifest:
        """Write a state's pieces; nobody sees it before it is sealed."""
        packed, digest, number = path.with_name(path.name + ".gz"), hashlib.sha256(), 0
        try:
            with path.open("rb") as inside, gzip.open(packed, "wb", compresslevel=1) as out:
                while block := inside.read(CHUNK_BYTES):
                    out.write(block)
            with packed.open("rb") as file:
                while piece := file.read(CHUNK_BYTES):
                    if number == MAX_CHUNKS:
                        raise ArchiveError(f"The state of partition {partition} is too large to be handed on.")
                    digest.update(piece)
                    self._write(partition, [(_key(identity, number), piece)])
                    number += 1
        finally:
            packed.unlink(missing_ok=True)
        return ArchiveManifest(identity, offset, number, digest.hexdigest())

    def publish(self, partition: int, manifest: ArchiveManifest, shelf: ArchiveIndex) -> ArchiveIndex:
        """Let the state be seen, and take away what the shelf held before; what it holds now."""
        self._write(partition, [(manifest.id.encode(), json.dumps(asdict(manifest)).encode())])
        # Manifests first: a state without all of its pieces must not be seen.
        self._write(partition, [(key, None) for key in sorted(shelf.keys, key=lambda key: b"/" in key)])
        keys = {manifest.id.encode(), *(_key(manifest.id, number) for number in range(manifest.pieces))}
        return ArchiveIndex([manifest], keys)

    def _write(self, partition: int, pairs: Sequence[tuple[bytes, bytes | None]]) -> None:
        from confluent_kafka import KafkaException

        failed: list[KafkaError] = []

        def answered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error)

        try:
            for key, value in pairs:
                self._producer.produce(self._topic, value, key, partition, on_delivery=answered)
            left = self._producer.flush(TIMEOUT_S)
        except (KafkaException, BufferError) as error:
            raise ArchiveError(f"{self._topic} cannot be written ({error}).") from None
        if left:
            self._producer = self._writer()  # the old one would go on trying
        if left or failed:
            raise ArchiveError(f"{self._topic} cannot be written ({failed[0] if failed else 'no answer in time'}).")

    def _writer(self) -> Producer:
        # A piece that is written twice does no harm.
        return self._cluster.producer({"message.timeout.ms": int(TIMEOUT_S * 1000), "enable.idempotence": False})

    @contextmanager
    def _reader(self) -> Iterator[Consumer]:
        options = {
            "group.id": f"{self._group}.states",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
        reader = self._cluster.consumer(options)
        try:
            yield reader
        finally:
            reader.close()

    def _records(self, reader: Consumer, partition: int) -> Iterator[Message]:
        """All records of a partition, from its beginning to its end."""
        from confluent_kafka import OFFSET_BEGINNING, TopicPartition

        reader.assign([TopicPartition(self._topic, partition, OFFSET_BEGINNING)])
        until = time.monotonic() + TIMEOUT_S
        while True:
            message = reader.poll(0.5)
            error = message.error() if message is not None else None
            if message is None or (error is not None and error.retriable()):
                if time.monotonic() > until:
                    raise ArchiveError(f"Nothing was heard of {self._topic} for {TIMEOUT_S:g} s.")
                continue
            if error is not None:
                if error.name() == "_PARTITION_EOF":
                    return
                raise ArchiveError(f"{self._topic} cannot be read ({error}).")
            until = time.monotonic() + TIMEOUT_S
            yield message


def new_state_id() -> str:
    """A name for a state."""
    return uuid4().hex


def _key(identity: str, number: int) -> bytes:
    return f"{identity}/{number}".encode()


def _manifest(value: str | bytes) -> ArchiveManifest | None:
    try:
        found = ArchiveManifest(**json.loads(value))
    except (ValueError, TypeError, RecursionError):
        return None
    whole = all(type(number) is int and number >= 0 for number in (found.offset, found.pieces))
    return found if whole and found.pieces <= MAX_CHUNKS else None


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
