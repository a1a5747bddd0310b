"""Probe against tshark: messages a second on one capture, and memory on two lengths of it.

The capture is made here: subscribers register and call one another through a P-CSCF, every message on both of its
legs, over UDP, with the headers and sizes of an IMS.
"""

from __future__ import annotations

import os
import shutil
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

FOLDER = Path("build/bench")
MESSAGES = 200_000
RUNS = 3
PCSCF, SCSCF = "10.0.0.1", "10.0.1.1"
_START = 1_700_000_000.0
_USERS = 5000

_FIELDS = ["frame.time_epoch", "ip.src", "ip.dst", "udp.srcport", "udp.dstport", "sip.Method", "sip.Status-Code", "sip.Call-ID", "sip.CSeq.seq", "sip.CSeq.method", "sip.Via.branch", "sip.Via.sent-by.address", "sip.from.user", "sip.to.user", "sip.to.tag", "sip.Expires", "sip.contact.uri", "frame.len"]

Event = tuple[float, str, str, bytes]


def message(start: str, vias: list[str], call: str, cseq: str, caller: str, callee: str, tag: str, extra: str, body: str) -> bytes:
    lines = [start]
    lines += [f"Via: SIP/2.0/UDP {via}" for via in vias]
    lines += [
        "Max-Forwards: 69",
        f"Record-Route: <sip:mo@{PCSCF}:5060;lr=on;ftag={call[:8]}>",
        f"Route: <sip:orig@scscf.ims.example.org:6060;lr>,<sip:term@{SCSCF}:6060;lr>",
        f"From: <sip:{caller}@ims.example.org>;tag=f{call[:10]}",
        f"To: <sip:{callee}@ims.example.org>{tag}",
        f"Call-ID: {call}@ue.example.org",
        f"CSeq: {cseq}",
        "User-Agent: IMS phone 4.2 (build 2024.11)",
        "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010019B01",
        "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, OPTIONS, MESSAGE, REFER, NOTIFY",
        "Supported: 100rel, path, precondition, timer",
    ]
    if extra:
        lines.append(extra)
    lines += [f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


def sdp(address: str, codecs: int) -> str:
    lines = ["v=0", f"o=- 1 1 IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0", "m=audio 49152 RTP/AVP 104 110 102 108"]
    lines += [f"a=rtpmap:{96 + number} AMR-WB/16000/1" for number in range(codecs)]
    return "\r\n".join([*lines, "a=ptime:20", "a=sendrecv", ""])


class Traffic:
    """Registrations and calls of random subscribers, as timed messages on both legs of the P-CSCF."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def events(self, count: int) -> Iterator[list[Event]]:
        """Procedures, each a list of messages, until there are `count` messages; 40 procedures a second start."""
        start, made = _START, 0
        while made < count:
            start += float(self._random.exponential(1 / 40))
            procedure = self._register(start) if self._random.random() < 0.4 else self._call(start)
            made += len(procedure)
            yield procedure

    def _exchange(self, at: float, ue: str, request: str, cseq: str, call: str, users: tuple[str, str], answers: list[tuple[float, str]], extra: str = "", body: str = "", tag: str = "") -> list[Event]:  # fmt: skip
        """One request from `ue` through the P-CSCF and its answers (delay, status line) on both legs."""
        branch = f"z9hG4bK{self._random.integers(1 << 62):x}"
        outer = [f"{ue}:5060;branch={branch};rport"]
        inner = [f"{PCSCF}:5060;branch=z9hG4bK{branch[7:13]}.{branch[-8:]}.0", outer[0]]
        events = [
            (at, ue, PCSCF, message(request, outer, call, cseq, *users, tag, extra, body)),
            (at + 0.002, PCSCF, SCSCF, message(request, inner, call, cseq, *users, tag, extra, body)),
        ]
        for delay, status in answers:
            content = body if "200" in status or "183" in status else ""
            to = ";tag=t" + call[:8]
            events.append((at + delay, SCSCF, PCSCF, message(status, inner, call, cseq, *users, to, extra, content)))
            events.append((at + delay + 0.002, PCSCF, ue, message(status, outer, call, cseq, *users, to, extra, content)))
        return events

    def _parties(self) -> tuple[str, str, str, str]:
        one, two = self._random.integers(_USERS, size=2)
        call = f"{self._random.integers(1 << 62):016x}{self._random.integers(1 << 31):08x}"
        return f"10.8.{one // 250}.{one % 250 + 1}", f"00101{one:010d}", f"00101{two:010d}", call

    def _register(self, at: float) -> list[Event]:
        ue, user, _, call = self._parties()
        contact = f"Contact: <sip:{user}@{ue}:5060>;expires=600000"
        line = "REGISTER sip:ims.example.org SIP/2.0"
        delay = float(self._random.lognormal(-3.5, 0.4))
        first = self._exchange(at, ue, line, "1 REGISTER", call, (user, user), [(delay, "SIP/2.0 401 Unauthorized")], contact)
        second = self._exchange(at + 0.3, ue, line, "2 REGISTER", call, (user, user), [(delay, "SIP/2.0 200 OK")], contact)
        return first + second

    def _call(self, at: float) -> list[Event]:
        ue, caller, callee, call = self._parties()
        to = f"sip:{callee}@ims.example.org"
        body = sdp(ue, int(self._random.integers(2, 20)))
        rings, talks = 0.3 + float(self._random.lognormal(-1, 0.5)), float(self._random.exponential(30))
        contact = f"Contact: <sip:{caller}@{ue}:5060>"
        answers = [(0.003, "SIP/2.0 100 Trying"), (rings, "SIP/2.0 180 Ringing"), (rings + 3, "SIP/2.0 200 OK")]
        users, tag = (caller, callee), ";tag=t" + call[:8]
        events = self._exchange(at, ue, f"INVITE {to} SIP/2.0", "1 INVITE", call, users, answers, contact, body)
        events += self._exchange(at + rings + 3.1, ue, f"ACK {to} SIP/2.0", "1 ACK", call, users, [], tag=tag)
        return events + self._exchange(
            at + rings + 3.1 + talks, ue, f"BYE {to} SIP/2.0", "2 BYE", call, users, [(0.02, "SIP/2.0 200 OK")], tag=tag
        )


def frame(source: str, target: str, payload: bytes) -> bytes:
    addresses = b"".join(bytes(map(int, host.split("."))) for host in (source, target))
    udp = struct.pack("!HHHH", 5060, 5060, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses
    return bytes(6) + bytes(6) + b"\x08\x00" + head + udp


def make_capture(path: Path, count: int, seed: int = 1) -> int:
    """Write a capture of at least `count` messages; how many they are."""
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
from faultprint.probe.capture import NodeSpec, probe_captures
report = probe_captures([Path(sys.argv[1])], Path(sys.argv[2]), nodes=[NodeSpec.parse(sys.argv[3])], network="bench", key=bytes(32))
print(report.messages)
"""


def run_probe(capture: Path) -> tuple[float, float, int]:
    """Seconds, peak resident set (MB, 10⁶ bytes) and messages of one run in a process of its own."""
    out = capture.with_suffix(".parquet")
    begin = time.perf_counter()
    command = [sys.executable, "-c", _PROBE, str(capture), str(out), f"pcscf={PCSCF}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    messages = int(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command[:2])
    return time.perf_counter() - begin, usage.ru_maxrss * 1024 / 1e6, messages


def run_tshark(capture: Path) -> float:
    """Seconds that tshark takes for the same fields, in its fast setting."""
    fields = [part for name in _FIELDS for part in ("-e", name)]
    command = ["tshark", "-n", "-r", str(capture), "-Y", "sip", "-o", "sdp.establish_conversation:FALSE", "-T", "fields", *fields]
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def run() -> list[dict[str, object]]:
    short, long = FOLDER / "probe.pcap", FOLDER / "probe-long.pcap"
    make_capture(short, MESSAGES)
    make_capture(long, 3 * MESSAGES)
    with_tshark = shutil.which("tshark") is not None
    ours, theirs, memory, messages = [], [], [], 0
    for _ in range(RUNS):
        seconds, peak, messages = run_probe(short)
        ours.append(messages / seconds)
        memory.append(peak)
        if with_tshark:
            theirs.append(messages / run_tshark(short))
    value = statistics.median(ours)
    against = "tshark" if with_tshark else None
    ratio = statistics.median([our / their for our, their in zip(ours, theirs, strict=True)]) if with_tshark else None
    lengths = [statistics.median(memory), run_probe(long)[1]]
    return [
        {"name": "probe.messages_per_s", "value": value, "unit": "messages/s", "against": against, "ratio": ratio, "runs": RUNS},
        {"name": "probe.peak_rss_mb", "value": max(lengths), "unit": "MB", "against": "a third of the capture",
         "ratio": lengths[1] / lengths[0], "runs": RUNS + 1},
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run():
        print(row)
