"""The commands of the test bed: a real IMS in network namespaces."""

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
    """Run a real IMS on this machine, inject faults and record the traffic (needs Linux and root)."""


@testbed.command()
@click.argument("plan", required=False, type=INPUT)
@click.option("--network", help="Name of the network in PLAN; required if PLAN has several.")
@click.option(
    "--users-per-second",
    type=click.FloatRange(min=0, min_open=True),
    default=300,
    show_default=True,
    help="Handsets switched on per second.",
)
@seed_option
@json_option
def up(plan: Path | None, network: str | None, users_per_second: float, seed: int, as_json: bool) -> None:
    """Start a bed and switch its handsets on.

    The bed has a network of PLAN, or a network with default values.
    """
    from faultprint_lab.testbed.faults.fault import FAULTS
    from faultprint_lab.testbed.plan import read
    from faultprint_lab.testbed.topology import bed
    from faultprint_lab.testbed.topology.network import BedNetwork

    networks = dict(read(plan, FAULTS).networks) if plan else {"bed": BedNetwork("bed")}
    name = network or next(iter(networks))
    if name not in networks or (network is None and len(networks) > 1):
        raise UsageError(f"The plan has the networks {', '.join(networks)}; choose one with --network.")
    started = bed.up(networks[name], seed)
    started.send_command("load", {"switch_on": networks[name].subscribers / users_per_second})
    started.send_command("load", {"start_traffic": networks[name].load.peak_hour * 3600})
    report(bed.describe(started.name), as_json)


@testbed.command()
@click.argument("name", required=False)
@json_option
def down(name: str | None, as_json: bool) -> None:
    """Remove the bed NAME, or all beds of this machine, including remains of crashed ones."""
    from faultprint_lab.testbed.topology import bed

    report({"taken_down": bed.down(name)}, as_json)


@testbed.command()
@json_option
def status(as_json: bool) -> None:
    """Show all beds: processes, memory, CPU time, Diameter peers."""
    from faultprint_lab.testbed.topology import bed

    beds = bed.status()

    def lines() -> Iterator[str]:
        for state in beds:
            yield ", ".join(f"{key} {value}" for key, value in state.items())
        yield f"{len(beds)} beds"

    report({"beds": beds}, as_json, lines)


@testbed.command()
@click.argument("plan", type=INPUT)
@click.option("--out", type=FOLDER, required=True, help="Folder of the episodes; an interrupted run continues in it.")
@click.option(
    "--parallel", type=click.IntRange(min=1), default=1, show_default=True, help="Networks to run in parallel."
)
@click.option("--keep-packets", is_flag=True, help="Also keep packet captures in the folder of each episode.")
@json_option
def run(plan: Path, out: Path, parallel: int, keep_packets: bool, as_json: bool) -> None:
    """Record the episodes of PLAN (TOML): labelled transactions in OUT/EPISODE, with a new bed for each episode."""
    from faultprint_lab.testbed.recording.run import run as run_plan

    with progress_bar("seconds") as progress:
        result = run_plan(plan, out, parallel=parallel, keep_packets=keep_packets, progress=progress)
    report(result.as_dict(), as_json)


@testbed.command()
@click.option("--networks", type=click.IntRange(1, 99), required=True, help="Number of different networks.")
@click.option("--hours", type=click.IntRange(1, 999), required=True, help="Hours per network, one episode each.")
@seed_option
@click.option("--out", type=OUTPUT, required=True, help="File of the plan (TOML).")
@json_option
def plan(networks: int, hours: int, seed: int, out: Path, as_json: bool) -> None:
    """Draw a random recording plan: different networks, hours with and without a fault."""
    from faultprint.files import replacing
    from faultprint_lab.testbed.faults.fault import FAULTS
    from faultprint_lab.testbed.plan import parse
    from faultprint_lab.testbed.recording.random_plan import draw_plan

    text = draw_plan(networks, hours, seed)
    drawn = parse(text, FAULTS)
    with replacing(out) as temporary:
        temporary.write_text(text)
    with_fault = sum(bool(episode.faults) for episode in drawn.episodes)
    report({"out": str(out), "networks": networks, "episodes": len(drawn.episodes), "with_fault": with_fault}, as_json)


@testbed.command()
@click.argument("plan", type=INPUT)
@click.option("--out", type=FOLDER, required=True, help="Folder of the data set; an existing one is extended.")
@click.option("--raw", type=FOLDER, help="Folder of the recorded episodes.  [default: OUT-raw]")
@click.option("--parallel", type=click.IntRange(min=1), default=8, show_default=True, help="Beds to run in parallel.")
@click.option(
    "--hours", type=click.FloatRange(min=0), help="Start no new episode after this time.  [default: no limit]"
)
@json_option
def record(plan: Path, out: Path, raw: Path | None, parallel: int, hours: float | None, as_json: bool) -> None:
    """Record the episodes of PLAN in parallel, and make a data set of minutes and labels.

    An interrupted recording continues when the command is run again. With --hours 0 it only makes the data set from the
    recorded episodes.
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
    from faultprint_lab.testbed.recording.verification import verify as verify_dataset

    report(verify_dataset(dataset), as_json)
