"""What everything that happens in a network draws upon."""

from __future__ import annotations

from dataclasses import dataclass

from faultprint_lab.simulate.network.networks import Network
from faultprint_lab.simulate.network.population import Population
from faultprint_lab.simulate.network.rates import Curve


@dataclass(frozen=True, slots=True)
class World:
    """A network, its subscribers and its days."""

    network: Network
    population: Population
    curve: Curve

    @property
    def span(self) -> float:
        """Seconds that are listened to."""
        return self.curve.span
