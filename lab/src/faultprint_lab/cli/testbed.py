"""The verbs of the test bed: a real IMS in network namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from faultprint.cli.options import (
    FOLDER,
    INPUT,
    OUTPUT,
    json_option,
    progress_bar,
    report,
    seed_option,
)
from faultprint.errors import UsageError


@click.group()
def testbed() -> None:
    """Run a real IMS on this machine, break it, and record what the probe sees (Linux, root)."""


@testbed.command()
@click.argument("plan", required=False, type=INPUT)
@click.option("--network", help="Which of the plan's networks, where it has several.")
@click.option(
    "--users-per-second",
    type=click.FloatRange(min=0, min_open=True),
    default=300,
    show_default=True,
    help="Pace at which handsets switch on.",
)
@seed_option
@json_option
def up(plan: Path | None, network: str | None, users_per_second: float, seed: int, as_json: bool) -> None:
    """Start a bed with its handsets switched on: a network of PLAN, or one with all defaults."""
    from faultprint_lab.testbed.faults.faults import FAULTS
    from faultprint_lab.testbed.plan import read
    from faultprint_lab.testbed.topology import bed
    from faultprint_lab.testbed.topology.network import TestbedNetwork

    known = dict(read(plan, FAULTS).networks) if plan else {"bed": TestbedNetwork("bed")}
    name = network or next(iter(known))
    if name not in known or (network is None and len(known) > 1):
        raise UsageError(f"The plan's networks are {', '.join(known)}; choose one by --network.")
    made = bed.up(known[name], seed)
    made.order("load", {"switch_on": known[name].subscribers / users_per_second})
    made.order("load", {"live": known[name].load.peak_hour * 3600})
    report(bed.describe(made.name), as_json)


@testbed.command()
@click.argument("name", required=False)
@json_option
def down(name: str | None, as_json: bool) -> None:
    """Take away the bed NAME, or every bed on this machine, leftovers of crashed ones included."""
    from faultprint_lab.testbed.topology import bed

    report({"taken_down": bed.down(name)}, as_json)


@testbed.command()
@json_option
def status(as_json: bool) -> None:
    """What is known of every bed: processes, memory, CPU time, Diameter peers."""
    from faultprint_lab.testbed.topology import bed

    beds = bed.status()

    def lines() -> Iterator[str]:
        for one in beds:
            yield ", ".join(f"{key} {value}" for key, value in one.items())
        yield f"{len(beds)} beds"

    report({"beds": beds}, as_json, lines)


@testbed.command()
@click.argument("plan", type=INPUT)
@click.option("--out", type=FOLDER, required=True, help="Folder of the episodes; a run cut short goes on in it.")
@click.option("--parallel", type=click.IntRange(min=1), default=1, show_default=True, help="Networks side by side.")
@click.option("--keep-packets", is_flag=True, help="Leave the captures beside the transactions.")
@json_option
def run(plan: Path, out: Path, parallel: int, keep_packets: bool, as_json: bool) -> None:
    """Work through PLAN (TOML): a fresh bed an episode, labelled transactions in OUT/EPISODE."""
    from faultprint_lab.testbed.recording.run import run as work

    with progress_bar("seconds") as progress:
        result = work(plan, out, parallel=parallel, keep_packets=keep_packets, progress=progress)
    report(result.as_dict(), as_json)


@testbed.command()
@click.option("--networks", type=click.IntRange(1, 99), required=True, help="How many differing networks.")
@click.option("--hours", type=click.IntRange(1, 999), required=True, help="Hours of each, an episode each.")
@seed_option
@click.option("--out", type=OUTPUT, required=True, help="The plan (TOML).")
@json_option
def plan(networks: int, hours: int, seed: int, out: Path, as_json: bool) -> None:
    """Draw a plan at random, to be recorded: differing networks, hours with and without a fault."""
    from faultprint.files import replacing
    from faultprint_lab.testbed.faults.faults import FAULTS
    from faultprint_lab.testbed.plan import parse
    from faultprint_lab.testbed.recording.campaign import draw

    text = draw(networks, hours, seed)
    drawn = parse(text, FAULTS)
    with replacing(out) as temporary:
        temporary.write_text(text)
    struck = sum(bool(episode.faults) for episode in drawn.episodes)
    report({"out": str(out), "networks": networks, "episodes": len(drawn.episodes), "with_fault": struck}, as_json)


@testbed.command()
@click.argument("plan", type=INPUT)
@click.option("--out", type=FOLDER, required=True, help="The data set; one that exists is extended.")
@click.option("--raw", type=FOLDER, help="Folder of the episodes' transactions.  [default: OUT-raw]")
@click.option("--parallel", type=click.IntRange(min=1), default=8, show_default=True, help="Beds side by side.")
@click.option("--hours", type=click.FloatRange(min=0), help="Start no episode after so many hours.  [default: all]")
@json_option
def record(plan: Path, out: Path, raw: Path | None, parallel: int, hours: float | None, as_json: bool) -> None:
    """Record the episodes of PLAN, any of them side by side, and make a data set of minutes and labels.

    Stopped at any moment and run again, it goes on. With --hours 0 it makes the data set of what is there.
    """
    from faultprint_lab.testbed.recording.recorder import record_plan

    with progress_bar("seconds") as progress:
        result = record_plan(plan, out, raw=raw, parallel=parallel, hours=hours, progress=progress)
    report(result.as_dict(), as_json)


@testbed.command()
@click.argument("dataset", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
def verify(dataset: Path, as_json: bool) -> None:
    """Check a data set: checksums, schemas, split and labels."""
    from faultprint_lab.testbed.recording.dataset_check import verify as check

    report(check(dataset), as_json)
