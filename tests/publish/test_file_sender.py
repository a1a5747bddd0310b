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
from faultprint.publish.routes import line_messages, ves_messages
from faultprint.publish.senders import file
from faultprint.publish.senders.dry_run import DryRunSender
from faultprint.publish.senders.file import FileSender
from faultprint.publish.ves.event import VesSettings
from faultprint_lab.pages.publish import story

MESSAGES = [message for incident in story() for message in line_messages(incident)]


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
    # The same once more: the receipts were lost, the lines were not.
    assert _send_all(path) == ["was written before"] * 4
    assert path.read_bytes().count(b"\n") == 5


@given(st.integers(0, sum(len(message.body) for message in MESSAGES)))
@settings(max_examples=40)
def test_wherever_a_crash_cuts_every_line_is_there_once(cut: int) -> None:
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


def test_a_writer_that_is_killed_leaves_what_it_said_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        said = [int(writer.stdout.readline()) for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
        said += [int(line) for line in writer.stdout if line.endswith("\n")]
    FileSender(path).close()
    found = [int(json.loads(line)["event_id"]) for line in path.read_text().splitlines()]
    assert found[: len(said)] == said and len(found) - len(said) in (0, 1)


def test_a_file_that_was_rotated_away_is_begun_anew(tmp_path: Path) -> None:
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


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lines"
    sender = FileSender(path)
    sender.send(MESSAGES[0])
    real = os.pwrite

    def half(descriptor: int, data: bytes, place: int) -> int:
        if place > len(MESSAGES[0].body):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:10], place)

    with monkeypatch.context() as patch:
        patch.setattr(file.os, "pwrite", half)
        receipt = sender.send(MESSAGES[1])
    assert receipt.outcome is DeliveryOutcome.LATER and "No space left" in receipt.detail
    assert path.read_bytes() == MESSAGES[0].body
    assert sender.send(MESSAGES[1]).outcome is DeliveryOutcome.DELIVERED
    sender.close()
    assert path.read_bytes() == MESSAGES[0].body + MESSAGES[1].body


def test_a_half_line_that_could_not_be_taken_back_is_taken_back_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lines"
    sender = FileSender(path)

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(file.os, "fsync", broken)
        patch.setattr(file.os, "ftruncate", broken)
        assert sender.send(MESSAGES[0]).outcome is DeliveryOutcome.LATER
    path.write_bytes(MESSAGES[0].body[:-5])
    assert sender.send(MESSAGES[0]).outcome is DeliveryOutcome.DELIVERED
    sender.close()
    assert path.read_bytes() == MESSAGES[0].body


def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    sender = FileSender(path)
    with pytest.raises(UsageError, match="cannot be appended to"):
        FileSender(path)
    sender.close()
    FileSender(path).close()


def test_what_is_no_file_of_lines_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(b"x" * (file.TAIL + 10))
    with pytest.raises(UsageError, match="no file of JSON lines"):
        FileSender(path)
    assert path.stat().st_size == file.TAIL + 10
    for impossible in (tmp_path, tmp_path / "absent" / "lines"):
        with pytest.raises(UsageError, match="cannot be appended to"):
            FileSender(impossible)


@pytest.mark.parametrize("body", [b"", b"{}", b"{}\n{}\n", b"\n\n"])
def test_what_is_not_one_line_is_rejected(tmp_path: Path, body: bytes) -> None:
    sender = FileSender(tmp_path / "lines")
    assert sender.send(Message("1", "", "", body)).outcome is DeliveryOutcome.REJECTED
    sender.close()
    assert (tmp_path / "lines").read_bytes() == b""


def test_strange_lines_in_the_file_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    before = b'[1]\nnull\n\xff\xfe\n{"event_id": 5}\n' + b"[" * 5000 + b"\n"
    path.write_bytes(before)
    assert _send_all(path) == ["written"] * 4
    assert path.read_bytes().startswith(before)


def test_a_dry_run_shows_and_sends_nothing() -> None:
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
