"""Captures built in code: messages, the packets around them, and the files around those."""

from __future__ import annotations

import gzip
import ipaddress
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from faultprint import storage
from faultprint.probe.capture.run import NodeSpec, ProbeReport, probe_captures
from faultprint.tables import TRANSACTIONS

KEY = b"a key for tests only, 32 bytes.."
T0 = 1_700_000_000_000_000
MS = 1_000
S = 1_000_000

UE, PCSCF, SCSCF = "10.8.0.1", "10.0.0.1", "10.0.1.1"

Packet = tuple[int, bytes]


def request(
    method: str = "REGISTER",
    *,
    via: Sequence[str] = ("10.8.0.1:5060;branch=z9hG4bKa",),
    user: str = "alice",
    to: str = "",
    tag: str = "",
    call: str = "call-1",
    cseq: int = 1,
    uri: str = "sip:ims.example.org",
    headers: Sequence[str] = (),
    body: str = "",
) -> bytes:
    """A request; `to` defaults to the user, `tag` is the To tag. A REGISTER without `headers` has a contact."""
    if method == "REGISTER" and not headers:
        headers = [f"Contact: <sip:{user}@{UE}>"]
    lines = [f"{method} {uri} SIP/2.0", *(f"Via: SIP/2.0/UDP {hop}" for hop in via)]
    lines += [
        f"From: <sip:{user}@ims.example.org>;tag=f1",
        f"To: <sip:{to or user}@ims.example.org>" + (f";tag={tag}" if tag else ""),
    ]
    lines += [f"Call-ID: {call}", f"CSeq: {cseq} {method}", *headers, f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


def response(status: int, to_request: bytes, *, tag: str = "t1", headers: Sequence[str] = (), body: str = "") -> bytes:
    """The answer to a request: its Via, From, To, Call-ID and CSeq copied."""
    lines = [f"SIP/2.0 {status} Because"]
    for line in to_request.decode().split("\r\n\r\n")[0].split("\r\n")[1:]:
        name = line.partition(":")[0]
        if name in ("Via", "From", "Call-ID", "CSeq"):
            lines.append(line)
        elif name == "To":
            lines.append(line if ";tag=" in line or status == 100 else f"{line};tag={tag}")
    return "\r\n".join([*lines, *headers, f"Content-Length: {len(body)}", "", body]).encode()


def _addresses(source: str, target: str) -> bytes:
    return ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed


def ip(
    source: str,
    target: str,
    protocol: int,
    payload: bytes,
    *,
    identification: int = 0,
    offset: int = 0,
    more: bool = False,
) -> bytes:
    """An IPv4 or IPv6 packet; offset in bytes (IPv4 only)."""
    if ":" in source:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + _addresses(source, target) + payload
    flags = offset // 8 | (0x2000 if more else 0)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), identification, flags, 64, protocol, 0)
    return head + _addresses(source, target) + payload


def udp(source: str, target: str, payload: bytes, ports: tuple[int, int] = (5060, 5060)) -> bytes:
    return ip(source, target, 17, struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload)


def tcp(
    source: str, target: str, payload: bytes, sequence: int, ports: tuple[int, int] = (40000, 5060), flags: int = 0x18
) -> bytes:
    head = struct.pack("!HHIIBBHHH", *ports, sequence & 0xFFFFFFFF, 0, 0x50, flags, 65535, 0, 0)
    return ip(source, target, 6, head + payload)


def chunk(number: int, data: bytes, *, flags: int = 3, stream: int = 0, payload: int = 46) -> bytes:
    """A DATA chunk of SCTP, padded; flags: 2 begins a message, 1 ends it."""
    head = struct.pack("!BBHIHHI", 0, flags, 16 + len(data), number & 0xFFFFFFFF, stream, 0, payload)
    return head + data + bytes(-len(data) % 4)


def sctp(source: str, target: str, *chunks: bytes, ports: tuple[int, int] = (40000, 3868), tag: int = 7) -> bytes:
    return ip(source, target, 132, struct.pack("!HHII", *ports, tag, 0) + b"".join(chunks))


CX, RX, GX, COMMON = 16777216, 16777236, 16777238, 0


def avp(code: int, data: bytes | int, vendor: int = 0) -> bytes:
    if isinstance(data, int):
        data = struct.pack("!I", data)
    head = struct.pack("!II", code, (0xC0 if vendor else 0x40) << 24 | len(data) + (12 if vendor else 8))
    return head + (struct.pack("!I", vendor) if vendor else b"") + data + bytes(-len(data) % 4)


def diameter(
    command: int,
    *avps: bytes,
    application: int = RX,
    flags: int = 0xC0,
    hop: int = 1,
    end: int = 1,
    session: str | None = "p;1;1",
) -> bytes:
    """A request (flags 0xC0) or an answer (0x40)."""
    body = (
        (avp(263, session.encode()) if session is not None else b"") + avp(264, b"p.ims.example.org") + b"".join(avps)
    )
    return struct.pack("!IIIII", 1 << 24 | 20 + len(body), flags << 24 | command, application, hop, end) + body


def answer(
    request: bytes, result: int | None = 2001, *avps: bytes, flags: int = 0x40, session: str | None = "p;1;1"
) -> bytes:
    """The answer to a request: its command, application and identifiers copied."""
    _, word, application, hop, end = struct.unpack_from("!IIIII", request)
    found = (avp(268, result),) if result is not None else ()
    return diameter(
        word & 0xFFFFFF, *found, *avps, application=application, flags=flags, hop=hop, end=end, session=session
    )


def subscription(kind: int, data: bytes) -> bytes:
    return avp(443, avp(450, kind) + avp(444, data))


def ethernet(packet: bytes, *tags: int) -> bytes:
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return bytes(12) + b"".join(struct.pack("!HH", tag, 7) for tag in tags) + kind + packet


def fragments(packet: bytes, size: int) -> list[bytes]:
    """An IPv4 packet cut into fragments of `size` bytes (a multiple of eight)."""
    source, target = (str(ipaddress.ip_address(packet[at : at + 4])) for at in (12, 16))
    body = packet[20:]
    return [
        ip(source, target, packet[9], body[at : at + size], identification=77, offset=at, more=at + size < len(body))
        for at in range(0, len(body), size)
    ]


def pcap(packets: Iterable[Packet], *, link: int = 1, order: str = "<", nanoseconds: bool = False) -> bytes:
    parts = [struct.pack(order + "IHHiIII", 0xA1B23C4D if nanoseconds else 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link)]
    for at, data in packets:
        fraction = at % S * (1000 if nanoseconds else 1)
        parts.append(struct.pack(order + "IIII", at // S, fraction, len(data), len(data)) + data)
    return b"".join(parts)


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, 12 + len(body)) + body + struct.pack(order + "I", 12 + len(body))


def section(order: str, interfaces: Sequence[tuple[int, int]]) -> bytes:
    """A section header and its interfaces: (link, if_tsresol)."""
    data = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    for link, resolution in interfaces:
        options = struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
        data += block(order, 1, struct.pack(order + "HHI", link, 0, 0) + options)
    return data


def enhanced(order: str, interface: int, ticks: int, data: bytes) -> bytes:
    head = struct.pack(order + "IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(order, 6, head + data)


def frames(messages: Iterable[tuple[int, str, str, bytes]]) -> list[Packet]:
    """Timed messages (offset from T0 in µs, source, target, text) as UDP in Ethernet."""
    return [(T0 + at, ethernet(udp(source, target, text))) for at, source, target, text in messages]


class Probed:
    """A run over captures: the report and the table."""

    def __init__(self, report: ProbeReport, table: pl.DataFrame, raw: bytes, metadata: dict[str, str]) -> None:
        self.report = report
        self.table = table
        self.raw = raw
        self.metadata = metadata

    def column(self, name: str) -> list[object]:
        return self.table.sort("start", "direction", maintain_order=True).get_column(name).to_list()


def probe(folder: Path, *captures: bytes, nodes: Sequence[str] = (f"pcscf={PCSCF}",), zipped: bool = False) -> Probed:
    """Write captures to `folder`, probe them, and read the result through the stage border."""
    paths = []
    for number, data in enumerate(captures):
        path = folder / f"{number}.pcap"
        path.write_bytes(gzip.compress(data) if zipped else data)
        paths.append(path)
    out = folder / "transactions.parquet"
    watched = [NodeSpec.parse(node) for node in nodes]
    report = probe_captures(paths, out, nodes=watched, network="lab", key=KEY, allow_unheard=True)
    table = storage.read(out, TRANSACTIONS)
    assert table.height == report.transactions
    return Probed(report, table, out.read_bytes(), storage.metadata(out))
