"""What everything that happens in a network draws upon."""

from __future__ import annotations

from dataclasses import dataclass

from faultprint_lab.simulate.network.networks import SimulatedNetwork
from faultprint_lab.simulate.network.population import Subscribers
from faultprint_lab.simulate.network.rates import Curve


@dataclass(frozen=True, slots=True)
class Scenario:
    """A network, its subscribers and its days."""

    network: SimulatedNetwork
    population: Subscribers
    curve: Curve

    @property
    def span(self) -> float:
        """Seconds that are listened to."""
        return self.curve.span
