"""Probe against tshark: messages per second on one capture, and memory on captures of two lengths.

The capture is generated: subscribers register and call each other through a P-CSCF. Every message is on both of its legs,
over UDP, with the headers and sizes of an IMS.
"""

from __future__ import annotations

import os
import shutil
import statistics
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

FOLDER = Path("build/bench")
MESSAGES = 200_000
RUNS = 3
LONGER = 3
PCSCF, SCSCF = "10.0.0.1", "10.0.1.1"
_START = 1_700_000_000.0
_USERS = 5000

_FIELDS = (
    "frame.time_epoch", "ip.src", "ip.dst", "udp.srcport", "udp.dstport", "udp.length", "sip.Method", "sip.Status-Code",
    "sip.Call-ID", "sip.CSeq.seq", "sip.CSeq.method", "sip.Via.branch", "sip.Via.sent-by.address", "sip.Via.sent-by.port",
    "sip.from.user", "sip.from.host", "sip.from.tag", "sip.to.user", "sip.to.host", "sip.to.tag", "sip.Expires",
    "sip.contact.parameter", "sip.Content-Length",
)  # fmt: skip
"""The fields that the probe reads for the transactions table."""

Event = tuple[float, str, str, bytes]
Answers = list[tuple[float, str]]


class Call(NamedTuple):
    """What the messages of a call or registration share. `names_first`: the phone writes From before Via, as many phones do."""

    ue: str
    caller: str
    callee: str
    call_id: str
    names_first: bool


def message(start: str, vias: list[str], call: Call, cseq: str, tag: str, extra: str, body: str) -> bytes:
    hops = [f"Via: SIP/2.0/UDP {via}" for via in vias]
    names = [
        f"From: <sip:{call.caller}@ims.example.org>;tag=f{call.call_id[:10]}",
        f"To: <sip:{call.callee}@ims.example.org>{tag}",
        f"Call-ID: {call.call_id}@{call.ue}",
        f"CSeq: {cseq}",
    ]
    lines = [start, *(names + hops if call.names_first else hops + names)]
    lines += [
        "Max-Forwards: 69",
        f"Record-Route: <sip:mo@{PCSCF}:5060;lr=on;ftag={call.call_id[:8]}>",
        f"Route: <sip:orig@scscf.ims.example.org:6060;lr>,<sip:term@{SCSCF}:6060;lr>",
        "User-Agent: IMS phone 4.2 (build 2024.11)",
        "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010019B01",
        "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, OPTIONS, MESSAGE, REFER, NOTIFY",
        "Supported: 100rel, path, precondition, timer",
    ]
    if extra:
        lines.append(extra)
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()


def sdp(address: str, codecs: int) -> str:
    lines = [
        "v=0",
        f"o=- 1 1 IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
        "m=audio 49152 RTP/AVP 104 110 102 108",
    ]
    lines += [f"a=rtpmap:{96 + number} AMR-WB/16000/1" for number in range(codecs)]
    return "\r\n".join([*lines, "a=ptime:20", "a=sendrecv", ""])


class Traffic:
    """Registrations and calls of random subscribers, as timed messages on both legs of the P-CSCF at an address."""

    def __init__(self, seed: int, pcscf: str = PCSCF, start: float = _START) -> None:
        self._random = np.random.default_rng(seed)
        self._pcscf, self._start = pcscf, start

    def events(self, count: int) -> Iterator[list[Event]]:
        """Procedures, each a list of messages, until there are `count` messages; 40 procedures start per second."""
        start, made = self._start, 0
        while made < count:
            start += float(self._random.exponential(1 / 40))
            procedure = self._register(start) if self._random.random() < 0.4 else self._call(start)
            made += len(procedure)
            yield procedure

    def _exchange(
        self,
        at: float,
        line: str,
        cseq: str,
        call: Call,
        answers: Answers,
        *,
        extra: str = "",
        body: str = "",
        tag: str = "",
    ) -> list[Event]:
        """One request through the P-CSCF and its answers (delay, status line), on both legs."""
        branch = f"z9hG4bK{self._random.integers(1 << 62):x}"
        outer = [f"{call.ue}:5060;branch={branch};rport"]
        pcscf = self._pcscf
        inner = [f"{pcscf}:5060;branch=z9hG4bK{branch[7:13]}.{branch[-8:]}.0", outer[0]]
        events = [
            (at, call.ue, pcscf, message(line, outer, call, cseq, tag, extra, body)),
            (at + 0.002, pcscf, SCSCF, message(line, inner, call, cseq, tag, extra, body)),
        ]
        for delay, status in answers:
            content = body if "200" in status else ""
            to = ";tag=t" + call.call_id[:8]
            events.append((at + delay, SCSCF, pcscf, message(status, inner, call, cseq, to, extra, content)))
            events.append((at + delay + 0.002, pcscf, call.ue, message(status, outer, call, cseq, to, extra, content)))
        return events

    def _parties(self) -> Call:
        caller, callee = self._random.integers(_USERS, size=2)
        call_id = f"{self._random.integers(1 << 62):016x}{self._random.integers(1 << 31):08x}"
        return Call(
            f"10.8.{caller // 250}.{caller % 250 + 1}",
            f"00101{caller:010d}",
            f"00101{callee:010d}",
            call_id,
            bool(caller % 2),
        )

    def _register(self, at: float) -> list[Event]:
        call = self._parties()
        call = call._replace(callee=call.caller)
        contact = f"Contact: <sip:{call.caller}@{call.ue}:5060>;expires=600000"
        line = "REGISTER sip:ims.example.org SIP/2.0"
        delay = float(self._random.lognormal(-3.5, 0.4))
        first = self._exchange(at, line, "1 REGISTER", call, [(delay, "SIP/2.0 401 Unauthorized")], extra=contact)
        second = self._exchange(at + 0.3, line, "2 REGISTER", call, [(delay, "SIP/2.0 200 OK")], extra=contact)
        return first + second

    def _call(self, at: float) -> list[Event]:
        call = self._parties()
        to = f"sip:{call.callee}@ims.example.org"
        tag = ";tag=t" + call.call_id[:8]
        rings, talks = 0.3 + float(self._random.lognormal(-1, 0.5)), float(self._random.exponential(30))
        answers = [(0.003, "SIP/2.0 100 Trying"), (rings, "SIP/2.0 180 Ringing"), (rings + 3, "SIP/2.0 200 OK")]
        body = sdp(call.ue, int(self._random.integers(2, 20)))
        contact = f"Contact: <sip:{call.caller}@{call.ue}:5060>"
        answered = at + rings + 3.1
        return [
            *self._exchange(at, f"INVITE {to} SIP/2.0", "1 INVITE", call, answers, extra=contact, body=body),
            *self._exchange(answered, f"ACK {to} SIP/2.0", "1 ACK", call, [], tag=tag),
            *self._exchange(answered + talks, f"BYE {to} SIP/2.0", "2 BYE", call, [(0.02, "SIP/2.0 200 OK")], tag=tag),
        ]


def frame(source: str, target: str, payload: bytes) -> bytes:
    addresses = b"".join(bytes(map(int, host.split("."))) for host in (source, target))
    udp = struct.pack("!HHHH", 5060, 5060, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses
    return bytes(6) + bytes(6) + b"\x08\x00" + head + udp


def make_capture(path: Path, count: int, seed: int = 1) -> int:
    """Write a capture of at least `count` messages; returns their number."""
    events = [event for procedure in Traffic(seed).events(count) for event in procedure]
    events.sort(key=lambda event: event[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
        for at, source, target, payload in events:
            data = frame(source, target, payload)
            file.write(struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(data), len(data)) + data)
    return len(events)


_PROBE = """
import sys
from pathlib import Path
from faultprint.probe.capture.run import NodeSpec, probe_captures
report = probe_captures([Path(sys.argv[1])], Path(sys.argv[2]), nodes=[NodeSpec.parse(sys.argv[3])], network="bench", key=bytes(32))
status = Path("/proc/self/status").read_text()
print(report.messages, status.partition("VmHWM:")[2].split()[0])
"""
# The process reports its own peak: the value of wait4 includes the peak of the process that forked it.


def _timed(command: list[str]) -> tuple[float, str]:
    """Processor seconds of a command (user and system, so that a busy machine is fair to both sides), and its output."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    lines = deque(process.stdout, maxlen=1)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command[:2])
    return usage.ru_utime + usage.ru_stime, lines.pop() if lines else ""


def run_probe(capture: Path) -> tuple[float, float, int]:
    """Processor seconds, peak resident set (MB, 10⁶ bytes) and messages of one run, output included."""
    command = [sys.executable, "-c", _PROBE, str(capture), str(capture.with_suffix(".parquet")), f"pcscf={PCSCF}"]
    seconds, output = _timed(command)
    messages, peak = map(int, output.split())
    return seconds, peak * 1024 / 1e6, messages


def run_tshark(capture: Path) -> float:
    """Processor seconds of tshark for the same fields, in its fast setting."""
    fields = [part for name in _FIELDS for part in ("-e", name)]
    return _timed(
        ["tshark", "-n", "-r", str(capture), "-o", "sdp.establish_conversation:FALSE", "-T", "fields", *fields]
    )[0]


def run() -> list[dict[str, object]]:
    short, long = FOLDER / "probe.pcap", FOLDER / "probe-long.pcap"
    make_capture(short, MESSAGES)
    make_capture(long, LONGER * MESSAGES)
    with_tshark = shutil.which("tshark") is not None
    ours, ratios, peaks = [], [], []
    for _ in range(RUNS):
        seconds, peak, messages = run_probe(short)
        ours.append(messages / seconds)
        peaks.append(peak)
        if with_tshark:
            ratios.append(run_tshark(short) / seconds)
    peak = statistics.median(peaks)
    longer = run_probe(long)[1]
    rows: list[dict[str, object]] = [
        {
            "name": "probe.messages_per_s",
            "value": statistics.median(ours),
            "unit": "messages/s",
            "against": "tshark" if with_tshark else None,
            "ratio": statistics.median(ratios) if with_tshark else None,
            "runs": RUNS,
        },
        {
            "name": "probe.peak_rss_mb",
            "value": max(peak, longer),
            "unit": "MB",
            "against": f"the same on a capture {LONGER} times shorter",
            "ratio": longer / peak,
            "runs": RUNS + 1,
        },
    ]
    for path in (long, long.with_suffix(".parquet")):
        path.unlink()
    return rows


if __name__ == "__main__":
    for row in run():
        print(row)
