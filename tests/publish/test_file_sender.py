from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.errors import UsageError
from faultprint.publish.message import DeliveryOutcome, Message
from faultprint.publish.routes import json_line_messages, ves_messages
from faultprint.publish.senders import file
from faultprint.publish.senders.dry_run import DryRunSender
from faultprint.publish.senders.file import FileSender
from faultprint.publish.ves.event import VesSettings
from faultprint_lab.pages.publish import story

MESSAGES = [message for incident in story() for message in json_line_messages(incident)]


def _send_all(path: Path) -> list[str]:
    sender = FileSender(path)
    try:
        return [sender.send(message).detail or "written" for message in MESSAGES]
    finally:
        sender.close()


def test_lines_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "incidents.jsonl"
    path.write_bytes(b'{"earlier": 1}\n')
    assert _send_all(path) == ["written"] * 4
    assert path.read_bytes() == b'{"earlier": 1}\n' + b"".join(message.body for message in MESSAGES)
    # Again the same messages: their receipts were lost, their lines were not.
    assert _send_all(path) == ["already written"] * 4
    assert path.read_bytes().count(b"\n") == 5


@given(st.integers(0, sum(len(message.body) for message in MESSAGES)))
@settings(max_examples=40)
def test_after_a_crash_at_any_byte_every_line_exists_once(cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "incidents.jsonl"
        whole = b"".join(message.body for message in MESSAGES)
        path.write_bytes(whole[:cut])
        _send_all(path)
        assert path.read_bytes() == whole


WRITER = """
import sys
from pathlib import Path
from faultprint.publish.senders.file import FileSender
from faultprint.publish.message import Message
sender = FileSender(Path(sys.argv[1]))
for number in range(1_000_000):
    body = b'{"event_id":"%d","filling":"%s"}\\n' % (number, b"x" * 300)
    sender.send(Message(str(number), "", "", body))
    print(number, flush=True)
"""


def test_a_killed_writer_leaves_every_acknowledged_line(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        acknowledged = [int(writer.stdout.readline()) for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    FileSender(path).close()
    written = [int(json.loads(line)["event_id"]) for line in path.read_text().splitlines()]
    assert written[: len(acknowledged)] == acknowledged and len(written) - len(acknowledged) in (0, 1)


def test_a_new_file_is_created_after_log_rotation(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    sender = FileSender(path)
    sender.send(MESSAGES[0])
    path.rename(tmp_path / "lines.1")
    assert sender.send(MESSAGES[1]).outcome is DeliveryOutcome.DELIVERED
    path.unlink()
    assert sender.send(MESSAGES[2]).outcome is DeliveryOutcome.DELIVERED
    sender.close()
    assert (tmp_path / "lines.1").read_bytes() == MESSAGES[0].body
    assert path.read_bytes() == MESSAGES[2].body


def test_a_full_disk_leaves_no_incomplete_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lines"
    sender = FileSender(path)
    sender.send(MESSAGES[0])
    real = os.pwrite

    def half(descriptor: int, data: bytes, offset: int) -> int:
        if offset > len(MESSAGES[0].body):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:10], offset)

    with monkeypatch.context() as patch:
        patch.setattr(file.os, "pwrite", half)
        receipt = sender.send(MESSAGES[1])
    assert receipt.outcome is DeliveryOutcome.RETRY and "No space left" in receipt.detail
    assert path.read_bytes() == MESSAGES[0].body
    assert sender.send(MESSAGES[1]).outcome is DeliveryOutcome.DELIVERED
    sender.close()
    assert path.read_bytes() == MESSAGES[0].body + MESSAGES[1].body


def test_an_incomplete_line_that_could_not_be_removed_is_removed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lines"
    sender = FileSender(path)

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(file.os, "fsync", broken)
        patch.setattr(file.os, "ftruncate", broken)
        assert sender.send(MESSAGES[0]).outcome is DeliveryOutcome.RETRY
    path.write_bytes(MESSAGES[0].body[:-5])
    assert sender.send(MESSAGES[0]).outcome is DeliveryOutcome.DELIVERED
    sender.close()
    assert path.read_bytes() == MESSAGES[0].body


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    sender = FileSender(path)
    with pytest.raises(UsageError, match="cannot be appended to"):
        FileSender(path)
    sender.close()
    FileSender(path).close()


def test_a_file_that_is_not_json_lines_is_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"x" * (file.TAIL_BYTES + 10))
    with pytest.raises(UsageError, match="no record of Faultprint"):
        FileSender(path)
    assert path.stat().st_size == file.TAIL_BYTES + 10
    for impossible in (tmp_path, tmp_path / "absent" / "lines"):
        with pytest.raises(UsageError, match="cannot be appended to"):
            FileSender(impossible)


@pytest.mark.parametrize("body", [b"", b"{}", b"{}\n{}\n", b"\n\n"])
def test_a_body_that_is_not_one_line_is_rejected(tmp_path: Path, body: bytes) -> None:
    sender = FileSender(tmp_path / "lines")
    assert sender.send(Message("1", "", "", body)).outcome is DeliveryOutcome.REJECTED
    sender.close()
    assert (tmp_path / "lines").read_bytes() == b""


def test_foreign_lines_in_the_file_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    before = b'[1]\nnull\n\xff\xfe\n{"event_id": 5}\n' + b"[" * 5000 + b"\n"
    path.write_bytes(before)
    assert _send_all(path) == ["written"] * 4
    assert path.read_bytes().startswith(before)


def test_a_dry_run_prints_and_sends_nothing() -> None:
    stream = io.StringIO()
    sender = DryRunSender("https://collector:8443", stream)
    (message,) = ves_messages(story()[0], VesSettings())
    receipt = sender.send(message)
    sender.send(Message("2", "", "", b"\xff\x1b[2J"))
    sender.close()
    shown = stream.getvalue()
    assert receipt.outcome is DeliveryOutcome.DELIVERED and "nothing was sent" in receipt.detail
    assert f"would send {message.id} to https://collector:8443/eventListener/v7\n" in shown
    assert "X-MinorVersion: 2\n" in shown and '"alarmCondition": "unknown"' in shown
    assert "\x1b" not in shown
