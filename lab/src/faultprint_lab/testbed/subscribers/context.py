"""What handsets and calls need from the process that runs them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Protocol

import numpy as np

from faultprint_lab.testbed.protocols.transactions import TransactionLayer
from faultprint_lab.testbed.topology.network import BedNetwork


class SubscriberContext(Protocol):
    """Shared by all handsets of a bed; `SubscriberPopulation` implements it.

    network   the bed's network
    realm     domain of the identities
    pcscf     address of the P-CSCF
    loop      event loop, also the clock
    rng       random generator
    layer     SIP transactions
    counts    number of outcomes, such as "REGISTER 200"
    """

    network: BedNetwork
    realm: str
    pcscf: str
    loop: asyncio.AbstractEventLoop
    rng: np.random.Generator
    layer: TransactionLayer
    counts: Counter[str]

    def token(self) -> str:
        """A new unique string for a tag, branch or Call-ID."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as a background task."""
