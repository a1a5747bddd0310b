"""The commands `probe` and `features`: packets to transactions, transactions to minutes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from faultprint.cli.options import INPUT, OUTPUT, json_option, progress_bar, report, same_file
from faultprint.errors import UsageError
from faultprint.tables import Interface

if TYPE_CHECKING:
    from faultprint.probe.capture.agents.access import HepOptions
    from faultprint.probe.output.report import ProbeReport

_MAX_NOTES: Final = 5


@click.command()
@click.argument("captures", nargs=-1, type=INPUT)
@click.option("--interface", "interfaces", multiple=True, metavar="IF", help="Capture on this interface; repeatable.")
@click.option(
    "--hep",
    "hep",
    multiple=True,
    metavar="[tcp://|tls://]HOST:PORT",
    help="Receive HEP version 3 at this address; repeatable.",
)
@click.option(
    "--hep-agent",
    "hep_agents",
    multiple=True,
    metavar="CIDR",
    help="Address or network whose agents may send HEP; repeatable.  [default: all, on loopback only]",
)
@click.option("--hep-key-file", type=INPUT, help="Authentication key that HEP packets must carry (first line).")
@click.option("--hep-certificate", type=INPUT, help="Certificate chain (PEM) for tls:// addresses.")
@click.option("--hep-certificate-key", type=INPUT, help="Private key (PEM) of the certificate.")
@click.option(
    "--hep-clock-bound",
    type=click.FloatRange(min=1),
    default=10.0,
    show_default=True,
    help="Drop HEP stamps farther from their arrival (seconds), after the offset of the agent's clock.",
)
@click.option(
    "--silence",
    type=click.FloatRange(min=1),
    default=180.0,
    show_default=True,
    help="A HEP agent that was not heard for so long (seconds) is silent: its nodes have a gap in the coverage.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop a live probe after this time.  [default: Ctrl-C]",
)
@click.option(
    "--node", "nodes", multiple=True, required=True, metavar="NAME[=ADDRESS,…]", help="Node to watch; repeatable."
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="ADDRESS=INTERFACE",
    help="Reference point of a peer, if known; repeatable.",
)
@click.option("--network", default="network", show_default=True, help="Name of the operator's network.")
@click.option(
    "--key-file",
    type=OUTPUT,
    help="Key for the hashes of subscribers, created if missing.  [default: ~/.config/faultprint/key]",
)
@click.option(
    "--holes",
    type=click.Choice(["auto", "gap", "silence"]),
    default="auto",
    show_default=True,
    help="What a long time without any packet inside a capture is: not captured (gap), or no traffic (silence). auto: no "
    "traffic for up to 15 minutes, unless other frames stopped too.",
)
@click.option("--allow-unheard", is_flag=True, help="Accept a node without any message in the captures.")
@click.option("--out", type=OUTPUT, required=True, help="Transactions (Parquet).")
@json_option
def probe(
    captures: tuple[Path, ...],
    interfaces: tuple[str, ...],
    hep: tuple[str, ...],
    hep_agents: tuple[str, ...],
    hep_key_file: Path | None,
    hep_certificate: Path | None,
    hep_certificate_key: Path | None,
    hep_clock_bound: float,
    silence: float,
    seconds: float | None,
    nodes: tuple[str, ...],
    peers: tuple[str, ...],
    network: str,
    key_file: Path | None,
    holes: str,
    allow_unheard: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Pair SIP and Diameter messages into transactions, from CAPTURES (pcap, pcapng, plain or gzip) or live.

    ADDRESS is an IP address of the node, or ADDRESS:PORT if several nodes share one address. Without addresses, the node
    is the host that serves most peers in the captures; the report names it.
    """
    from faultprint.probe.capture.ordering import HoleKind
    from faultprint.probe.capture.run import NodeSpec, probe_captures
    from faultprint.probe.privacy import key

    _refuse_copies(captures)
    common: dict[str, Any] = {
        "nodes": [NodeSpec.parse(node) for node in nodes],
        "peers": _peers(peers),
        "network": network,
        "key": key.load_or_create(key_file or key.default_path()),
    }
    live = bool(interfaces or hep)
    if live == bool(captures):
        raise UsageError("The probe reads captures or runs live; give either CAPTURES, or --interface or --hep.")
    if seconds is not None and not live:
        raise UsageError("--seconds ends a live probe, but captures end by themselves; leave it out.")
    if live:
        from faultprint.probe.capture.agents.access import HepOptions, parse_networks, read_key

        options = HepOptions(
            parse_networks(hep_agents),
            None if hep_key_file is None else read_key(hep_key_file),
            int(hep_clock_bound * 1_000_000),
            int(silence * 1_000_000),
            hep_certificate,
            hep_certificate_key,
        )
        report(_listen(interfaces, hep, options, seconds, out, common), as_json)
        return
    with progress_bar("bytes") as progress:
        result = probe_captures(
            captures, out, holes=HoleKind(holes), allow_unheard=allow_unheard, progress=progress, **common
        )
    report(result.as_dict(), as_json)
    for note in _notes(result):
        click.echo(f"faultprint: {note}", err=True)


def _notes(result: ProbeReport) -> Iterator[str]:
    """What the user should know about the times of the captures."""
    for begin, end, kind in result.holes[:_MAX_NOTES]:
        taken = "not captured" if kind == "gap" else "a time without traffic"
        other = "silence" if kind == "gap" else "gap"
        yield (
            f"no packet at all from {_utc(begin)} to {_utc(end)}; this counts as {taken}. If it was not, use --holes {other}."
        )
    if len(result.holes) > _MAX_NOTES:
        yield f"{len(result.holes) - _MAX_NOTES} more such times; --json lists them."
    if result.late[0]:
        yield (
            f"{result.late[0]:,} packets are up to {result.late[1] / 1e6:.3g} s out of order, more than can be mended; put "
            "them in order first with: reordercap IN OUT"
        )
    for path in result.cut:
        yield f"{path} ends inside a packet; its whole packets were read."
    if result.relative_times:
        yield "the times of the packets begin near 1970, because a clock was not set; they count from its start."


def _utc(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us / 1e6, UTC).isoformat(sep=" ", timespec="seconds")


def _peers(options: tuple[str, ...]) -> dict[str, Interface]:
    peers = {}
    for option in options:
        address, _, name = option.partition("=")
        if name not in tuple(Interface):
            raise UsageError(f"--peer {option} names no reference point; write ADDRESS=Gm or ADDRESS=Mw.")
        peers[address] = Interface(name)
    return peers


def _listen(
    interfaces: tuple[str, ...],
    hep: tuple[str, ...],
    options: HepOptions,
    seconds: float | None,
    out: Path,
    common: dict[str, Any],
) -> dict[str, Any]:
    """Capture until Ctrl-C, SIGTERM or the end of `seconds`; then write the transactions."""
    from faultprint.probe.capture.agents.access import HepAddress
    from faultprint.probe.capture.agents.source import HepSource
    from faultprint.probe.capture.agents.table import watched_names
    from faultprint.probe.capture.interface_source import InterfaceSource
    from faultprint.probe.capture.live import PacketSource, probe_live, watched_endpoints

    watched = watched_names(watched_endpoints(common["nodes"]))
    addresses = [HepAddress.parse(address) for address in hep]
    sources: list[PacketSource] = [InterfaceSource(name) for name in interfaces]
    if addresses:
        sources.append(HepSource(addresses, watched, options))
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    end = None if seconds is None else time.monotonic() + seconds
    result = probe_live(
        sources,
        out,
        stop=lambda: stopped.is_set() or (end is not None and time.monotonic() >= end),
        silence_us=options.silence_us,
        **common,
    )
    for name in result.unheard:
        click.echo(f"faultprint: no message of node {name!r} was heard; is its address right?", err=True)
    return result.as_dict()


@click.command()
@click.argument("transactions", type=INPUT)
@click.option(
    "--interval",
    type=click.IntRange(1, 86_400),
    default=60,
    show_default=True,
    help="Length of a minute in seconds.",
)
@click.option("--out", type=OUTPUT, required=True, help="Minutes (Parquet).")
@json_option
def features(transactions: Path, interval: int, out: Path, as_json: bool) -> None:
    """Describe each minute of TRANSACTIONS by the 132 features of the catalogue."""
    from faultprint.features.minutes import build_minutes_file

    with progress_bar("transactions") as progress:
        result = build_minutes_file(transactions, out, interval_us=interval * 1_000_000, progress=progress)
    report(result.as_dict(), as_json)


def _refuse_copies(captures: tuple[Path, ...]) -> None:
    """Raises UsageError if one capture is given twice, also by another name of the file."""
    for number, capture in enumerate(captures):
        for other in captures[:number]:
            if same_file(capture, other):
                raise UsageError(f"{capture} and {other} are the same capture; give each capture once.")
