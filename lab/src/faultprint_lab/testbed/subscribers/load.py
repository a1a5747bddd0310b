"""The process that plays a bed's subscribers.

Run as `python -m faultprint_lab.testbed.subscribers.load SETTINGS.json` inside the bed's `ue` namespace.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from faultprint_lab.testbed.protocols import control
from faultprint_lab.testbed.subscribers.population import SubscriberPopulation
from faultprint_lab.testbed.topology.network import TestbedLoad, TestbedNetwork


async def _main(path: Path) -> None:
    settings = json.loads(path.read_text())
    described = settings["network"]
    network = TestbedNetwork(**{**described, "load": TestbedLoad(**described["load"])})
    population = SubscriberPopulation(network, settings["seed"], asyncio.get_running_loop())
    await control.serve(Path(settings["control"]), population.order)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
