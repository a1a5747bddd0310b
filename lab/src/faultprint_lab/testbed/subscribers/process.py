"""The process that simulates the subscribers of a bed.

Run as `python -m faultprint_lab.testbed.subscribers.process SETTINGS.json` inside the bed's `ue` namespace.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from faultprint_lab.testbed.protocols import control
from faultprint_lab.testbed.subscribers.population import SubscriberPopulation
from faultprint_lab.testbed.topology.network import BedLoad, BedNetwork


async def _main(path: Path) -> None:
    settings = json.loads(path.read_text())
    fields = settings["network"]
    network = BedNetwork(**{**fields, "load": BedLoad(**fields["load"])})
    population = SubscriberPopulation(network, settings["seed"], asyncio.get_running_loop())
    await control.serve(Path(settings["control"]), population.handle_command)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
