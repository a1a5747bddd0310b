"""The archive of partition states: a compacted Kafka topic.

The state of a partition is in the partition of the same number of this topic. The monitor that acquires the partition next finds
it there.

    key               value
    <id>/<number>     a piece of the state file, compressed by gzip
    <id>              the manifest (`ArchiveManifest` as JSON); written last, and only by a member that may still commit
                      offsets of the partition
    either            no value: this entry is deleted, because a newer state exists

The committed offset of the group says that an archived state covers all records before it. A member therefore takes the newest
state whose offset is not beyond the committed offset.
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
"""Size of a piece; a broker accepts records up to 1 MiB by default."""
MAX_CHUNKS: Final = 8192
"""Maximum number of pieces of a state."""
MAX_STATE_BYTES: Final = 16 * 1024**3
"""Maximum size of an uncompressed state."""
TIMEOUT_S: Final = 10.0
"""Maximum wait for an answer of the brokers."""


class ArchiveError(FaultprintError):
    """The brokers did not answer, or they do not hold a complete state."""


@dataclass(frozen=True, slots=True)
class ArchiveManifest:
    """Description of a complete state. The names of the fields are stored.

    id       identifier of the state
    offset   first record of the input topic that is not part of the state
    pieces   number of pieces
    sha256   digest of the compressed state, in hex
    """

    id: str
    offset: int
    pieces: int
    sha256: str


@dataclass(slots=True)
class ArchiveIndex:
    """What the archive holds of one partition: the manifests of complete states, and the keys of all records."""

    manifests: list[ArchiveManifest]
    keys: set[bytes]

    def newest(self, offset: int | None) -> ArchiveManifest | None:
        """The newest state up to the committed `offset` of the group (None: the group has not committed yet)."""
        candidates = [manifest for manifest in self.manifests if offset is None or manifest.offset <= offset]
        return max(candidates, key=lambda manifest: manifest.offset, default=None)


class StateArchive:
    """Reads and writes the topic of states. All methods raise ArchiveError if the brokers do not answer."""

    def __init__(self, cluster: KafkaCluster, topic: str, group: str) -> None:
        """Raises UsageError if the client library refuses the settings."""
        self._cluster, self._topic, self._group = cluster, topic, group
        self._producer = self._new_producer()

    def create_topic(self, partitions: int) -> None:
        """Create the topic if it does not exist."""
        from confluent_kafka import KafkaException
        from confluent_kafka.cimpl import NewTopic

        topic = NewTopic(self._topic, partitions, config={"cleanup.policy": "compact"})
        admin = self._cluster.admin()
        try:
            for future in admin.create_topics([topic], request_timeout=TIMEOUT_S).values():
                future.result(TIMEOUT_S)
        except (KafkaException, TimeoutError) as error:
            if isinstance(error, TimeoutError) or error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise ArchiveError(
                    f"Topic {self._topic} cannot be created ({error or 'no answer'}); check the brokers and the rights."
                ) from None

    def read_index(self, partition: int) -> ArchiveIndex:
        """What the archive holds of a partition now."""
        index = ArchiveIndex([], set())
        manifests: dict[bytes, ArchiveManifest] = {}
        with self._open_consumer() as consumer:
            for message in self._records(consumer, partition):
                key, value = _to_bytes(message.key()), message.value()
                if value is None:
                    index.keys.discard(key)
                    manifests.pop(key, None)
                    continue
                index.keys.add(key)
                if b"/" not in key and (manifest := _parse_manifest(value)):
                    manifests[key] = manifest
        index.manifests = list(manifests.values())
        return index

    def download(self, partition: int, manifest: ArchiveManifest, path: Path) -> None:
        """Write a state to `path`: the complete state or nothing. Raises ArchiveError for an incomplete one."""
        digest, number, size = hashlib.sha256(), 0, 0
        with self._open_consumer() as consumer, replacing(path) as temporary:
            packed = temporary.with_name(temporary.name + ".gz")
            try:
                with packed.open("wb") as file:
                    for message in self._records(consumer, partition):
                        if number < manifest.pieces and message.key() == _chunk_key(manifest.id, number):
                            chunk = _to_bytes(message.value())
                            digest.update(chunk)
                            file.write(chunk)
                            number += 1
                if (number, digest.hexdigest()) != (manifest.pieces, manifest.sha256):
                    raise ArchiveError(
                        f"State {manifest.id} of partition {partition} is incomplete in topic {self._topic}; "
                        "check the topic's retention settings."
                    )
                with gzip.open(packed) as source, temporary.open("wb") as target:
                    while block := source.read(CHUNK_BYTES):
                        size += len(block)
                        if size > MAX_STATE_BYTES:
                            raise ArchiveError(
                                f"State {manifest.id} of partition {partition} is too large: "
                                f"more than {MAX_STATE_BYTES:,} bytes; delete it from topic {self._topic}."
                            )
                        target.write(block)
            finally:
                packed.unlink(missing_ok=True)

    def upload(self, partition: int, path: Path, offset: int, identity: str) -> ArchiveManifest:
        """Write the pieces of a state. Readers ignore them until `publish` writes the manifest."""
        packed, digest, number = path.with_name(path.name + ".gz"), hashlib.sha256(), 0
        try:
            with path.open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
                while block := source.read(CHUNK_BYTES):
                    target.write(block)
            with packed.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    if number == MAX_CHUNKS:
                        raise ArchiveError(
                            f"The state of partition {partition} is too large to upload: more than {MAX_CHUNKS} pieces; "
                            "use more partitions, or keep verdicts for a shorter time."
                        )
                    digest.update(chunk)
                    self._write(partition, [(_chunk_key(identity, number), chunk)])
                    number += 1
        finally:
            packed.unlink(missing_ok=True)
        return ArchiveManifest(identity, offset, number, digest.hexdigest())

    def publish(self, partition: int, manifest: ArchiveManifest, index: ArchiveIndex) -> ArchiveIndex:
        """Make an uploaded state visible and delete everything in `index`, which is older. Returns the new index."""
        self._write(partition, [(manifest.id.encode(), json.dumps(asdict(manifest)).encode())])
        # Manifests are deleted before pieces, so that no reader sees a manifest whose pieces are gone.
        self._write(partition, [(key, None) for key in sorted(index.keys, key=lambda key: b"/" in key)])
        keys = {manifest.id.encode(), *(_chunk_key(manifest.id, number) for number in range(manifest.pieces))}
        return ArchiveIndex([manifest], keys)

    def _write(self, partition: int, pairs: Sequence[tuple[bytes, bytes | None]]) -> None:
        from confluent_kafka import KafkaException

        errors: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                errors.append(error)

        try:
            for key, value in pairs:
                self._producer.produce(self._topic, value, key, partition, on_delivery=on_delivery)
            unsent = self._producer.flush(TIMEOUT_S)
        except (KafkaException, BufferError) as error:
            raise ArchiveError(f"Topic {self._topic} cannot be written ({error}); check the brokers.") from None
        if unsent:
            self._producer = self._new_producer()  # the old one would try again later
        if unsent or errors:
            reason = errors[0] if errors else f"no answer within {TIMEOUT_S:g} s"
            raise ArchiveError(f"Topic {self._topic} cannot be written ({reason}); check the brokers.")

    def _new_producer(self) -> Producer:
        # Idempotence is not needed: a piece that is written twice does no harm.
        return self._cluster.producer({"message.timeout.ms": int(TIMEOUT_S * 1000), "enable.idempotence": False})

    @contextmanager
    def _open_consumer(self) -> Iterator[Consumer]:
        options = {
            "group.id": f"{self._group}.states",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
        consumer = self._cluster.consumer(options)
        try:
            yield consumer
        finally:
            consumer.close()

    def _records(self, consumer: Consumer, partition: int) -> Iterator[Message]:
        """All records of a partition, from its beginning to its end."""
        from confluent_kafka import OFFSET_BEGINNING, TopicPartition

        consumer.assign([TopicPartition(self._topic, partition, OFFSET_BEGINNING)])
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            message = consumer.poll(0.5)
            error = message.error() if message is not None else None
            if message is None or (error is not None and error.retriable()):
                if time.monotonic() > deadline:
                    raise ArchiveError(
                        f"Topic {self._topic} cannot be read (no answer within {TIMEOUT_S:g} s); check the brokers."
                    )
                continue
            if error is not None:
                if error.name() == "_PARTITION_EOF":
                    return
                raise ArchiveError(f"Topic {self._topic} cannot be read ({error}); check the brokers.")
            deadline = time.monotonic() + TIMEOUT_S
            yield message


def new_state_id() -> str:
    """A new identifier of a state."""
    return uuid4().hex


def _chunk_key(identity: str, number: int) -> bytes:
    return f"{identity}/{number}".encode()


def _parse_manifest(value: str | bytes) -> ArchiveManifest | None:
    """The manifest in a record; None if the record does not hold a valid one."""
    try:
        manifest = ArchiveManifest(**json.loads(value))
    except (ValueError, TypeError, RecursionError):
        return None
    valid = all(type(number) is int and number >= 0 for number in (manifest.offset, manifest.pieces))
    return manifest if valid and manifest.pieces <= MAX_CHUNKS else None


def _to_bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
