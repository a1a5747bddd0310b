"""The verbs that make one table of another, and the model."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from faultprint.cli.frame import FOLDER, INPUT, OUTPUT, json_option, progress_bar, report, seed_option
from faultprint.errors import UsageError
from faultprint.tables import Interface


@click.command()
@click.option("--networks", type=click.IntRange(min=1), required=True, help="How many differing networks.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), required=True, help="Days of traffic of each.")
@click.option(
    "--episodes-per-day", type=click.FloatRange(min=0), default=5.0, show_default=True, help="Faults a network and day."
)
@click.option(
    "--load", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True, help="Scale of the traffic."
)
@click.option("--first", type=click.IntRange(min=0), default=0, show_default=True, help="Index of the first network.")
@click.option("--varied", is_flag=True, help="Give each episode ways of its own, as if it were another network's.")
@seed_option
@click.option("--out", type=FOLDER, required=True, help="Folder for the two tables.")
@json_option
def simulate(
    networks: int,
    days: float,
    episodes_per_day: float,
    load: float,
    first: int,
    varied: bool,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    """Make labelled traffic of many networks: OUT/transactions.parquet and OUT/labels.parquet.

    The same seed gives the same bytes; network K is the same however many are made.
    """
    from faultprint.simulate.run import simulate as run

    with progress_bar("networks") as progress:
        result = run(
            out,
            networks=networks,
            days=days,
            seed=seed,
            first=first,
            episodes_per_day=episodes_per_day,
            varied=varied,
            load=load,
            workers=os.cpu_count() or 1,
            progress=progress,
        )
    report(result.as_dict(), as_json)


@click.command()
@click.argument("captures", nargs=-1, type=INPUT)
@click.option("--interface", "interfaces", multiple=True, metavar="IF", help="Listen to this interface; repeatable.")
@click.option("--hep", "agents", multiple=True, metavar="HOST:PORT", help="Listen for HEP version 3 there; repeatable.")
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop listening after this long.  [default: Ctrl-C]"
)
@click.option(
    "--node", "nodes", multiple=True, required=True, metavar="NAME[=ADDRESS,…]", help="Node to watch; repeatable."
)
@click.option(
    "--peer", "peers", multiple=True, metavar="ADDRESS=INTERFACE", help="Reference point of a peer, where known."
)
@click.option("--network", default="network", show_default=True, help="Name of the operator's network.")
@click.option(
    "--key-file",
    type=OUTPUT,
    help="Key of the subscribers' hashes, made if absent.  [default: ~/.config/faultprint/key]",
)
@click.option("--out", type=OUTPUT, required=True, help="Transactions (Parquet).")
@json_option
def probe(
    captures: tuple[Path, ...],
    interfaces: tuple[str, ...],
    agents: tuple[str, ...],
    seconds: float | None,
    nodes: tuple[str, ...],
    peers: tuple[str, ...],
    network: str,
    key_file: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Pair SIP and Diameter messages into transactions: those of CAPTURES (pcap, pcapng, gzip too), or live ones.

    ADDRESS is an IP address of the node, or ADDRESS:PORT where several nodes share one. Without addresses the node is
    the host that the captures show most of, and the report says which that is.
    """
    from faultprint.probe import key
    from faultprint.probe.capture import NodeSpec, probe_captures

    common: dict[str, Any] = {
        "nodes": [NodeSpec.parse(node) for node in nodes],
        "peers": _peers(peers),
        "network": network,
        "key": key.load_or_make(key_file or key.default_path()),
    }
    live = bool(interfaces or agents)
    if live == bool(captures):
        raise UsageError("The probe reads captures or listens; give either CAPTURES or --interface and --hep.")
    if live:
        report(_listen(interfaces, agents, seconds, out, common), as_json)
        return
    with progress_bar("bytes") as progress:
        result = probe_captures(captures, out, progress=progress, **common)
    report(result.as_dict(), as_json)


def _peers(words: tuple[str, ...]) -> dict[str, Interface]:
    found = {}
    for word in words:
        address, _, name = word.partition("=")
        if name not in tuple(Interface):
            raise UsageError(f"--peer {word} names no reference point; write ADDRESS=Gm or ADDRESS=Mw.")
        found[address] = Interface(name)
    return found


def _listen(
    interfaces: tuple[str, ...], agents: tuple[str, ...], seconds: float | None, out: Path, common: dict[str, Any]
) -> dict[str, Any]:
    """Listen until Ctrl-C, SIGTERM or the end of `seconds`; what was heard is kept."""
    from faultprint.probe.live import HepSource, InterfaceSource, Source, probe_live

    sources: list[Source] = [InterfaceSource(name) for name in interfaces]
    sources += [HepSource.at(agent) for agent in agents]
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    end = None if seconds is None else time.monotonic() + seconds
    result = probe_live(
        sources, out, stop=lambda: over.is_set() or (end is not None and time.monotonic() >= end), **common
    )
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
    from faultprint.features.minutes import build

    with progress_bar("transactions") as progress:
        result = build(transactions, out, interval_us=interval * 1_000_000, progress=progress)
    report(result.as_dict(), as_json)


@click.command()
@click.argument("minutes", type=INPUT)
@click.option("--labels", type=INPUT, required=True, help="What is known to have been true (Parquet).")
@click.option(
    "--preset",
    type=click.Choice(["default", "posts", "posts-3d"]),
    default="default",
    show_default=True,
)
@seed_option
@click.option("--epochs", type=click.IntRange(min=1), help="Train this long.  [default: the preset's own]")
@click.option("--max-seconds", type=click.FloatRange(min=0, min_open=True), help="Stop training after this long.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="What computes; auto: a GPU if there is one.",
)
@click.option("--checkpoint", type=OUTPUT, help="Written after every epoch; the same command goes on from it.")
@click.option("--movie", type=OUTPUT, help="Show how the vectors moved, epoch by epoch (*.html, self-contained).")
@click.option("--log", type=FOLDER, help="Write a JSON line an epoch to LOG/epochs.jsonl.")
@click.option("--tensorboard", type=FOLDER, help="Write event files there; needs the package tensorboard.")
@click.option("--out", type=OUTPUT, required=True, help="The artefact (*.faultprint).")
@json_option
def train(
    minutes: Path,
    labels: Path,
    preset: str,
    seed: int,
    epochs: int | None,
    max_seconds: float | None,
    device: str,
    checkpoint: Path | None,
    movie: Path | None,
    log: Path | None,
    tensorboard: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    """Train an encoder on labelled MINUTES of several networks; what is left is one file that runs without torch."""
    from faultprint import storage
    from faultprint.features.minutes import read_minutes
    from faultprint.tables import LABELS
    from faultprint.training.log import JsonLines, Latest, TensorBoard
    from faultprint.training.train import train as run

    show = _projector(movie) if movie else None
    table = read_minutes(minutes)
    latest = Latest()
    logs = [kind(folder) for kind, folder in ((JsonLines, log), (TensorBoard, tensorboard)) if folder]
    with progress_bar("training") as progress:
        result = run(
            table.frame,
            storage.read(labels, LABELS),
            out,
            preset=preset,
            seed=seed,
            max_seconds=max_seconds,
            epochs=epochs,
            device=device,
            progress=lambda done, total: progress(done, total, latest.words),
            catalogue=table.catalogue,
            interval_us=table.interval_us,
            checkpoint=checkpoint,
            filmed=show is not None,
            listeners=[latest, *logs],
        )
    if show:
        show(result)
    report(result.as_dict(), as_json)


def _projector(path: Path) -> Callable[[Any], None]:
    """What writes the movie of a training there; refuses at once where it could not."""
    from faultprint.evaluate import movie

    movie.check(path)
    return lambda training: movie.write(training, path)
