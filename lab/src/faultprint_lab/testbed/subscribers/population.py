"""All subscribers of a bed: who acts when, who gets what arrives, and the orders that steer them."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import numpy as np

from faultprint_lab.testbed.protocols import sip
from faultprint_lab.testbed.protocols.transactions import Layer, Server, Timers
from faultprint_lab.testbed.protocols.wire import UdpTransport
from faultprint_lab.testbed.subscribers.arrivals import arrivals
from faultprint_lab.testbed.subscribers.calls import Calls
from faultprint_lab.testbed.subscribers.handset import Handset
from faultprint_lab.testbed.topology.addresses import LINKS, REALM, subscriber
from faultprint_lab.testbed.topology.network import TestbedNetwork

OFF_MEAN = 40.0
"""Mean seconds that a handset stays off in a power cycle."""


class SubscriberPopulation:
    """Handsets over one wire. The same seed gives the same wishes; what becomes of them the network decides."""

    def __init__(self, network: TestbedNetwork, seed: int, loop: asyncio.AbstractEventLoop) -> None:
        self.network, self.loop = network, loop
        self.realm, self.pcscf = REALM, LINKS["gm"]["pcscf"]
        streams = np.random.SeedSequence([seed, 1]).spawn(6)
        self.rng, self._pick, *self._streams = (np.random.default_rng(stream) for stream in streams)
        self.counts: Counter[str] = Counter()
        self.wire = UdpTransport(5060, lambda local, data: self.layer.receive(local, data))
        timers = Timers(network.t1_ms / 1e3, network.t2_ms / 1e3)
        self.layer = Layer(self._send, timers, loop, self._requested)
        self.handsets = [Handset(f"user{index}", subscriber(index), self) for index in range(network.subscribers)]
        self.calls = Calls(self)
        self._by_address = {handset.address: handset for handset in self.handsets}
        self._seed, self._tokens = seed, 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._storm = 0.0
        self.wire.attach(loop)

    def token(self) -> str:
        """A word that no other tag, branch or Call-ID of this bed is equal to."""
        self._tokens += 1
        return hashlib.blake2b(f"{self._seed}:{self._tokens}".encode(), digest_size=9).hexdigest()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something happen beside everything else."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            self.counts["errors"] += 1
            self.loop.call_exception_handler({"message": "handset failed", "exception": task.exception()})

    def _send(self, source: str, data: bytes) -> None:
        self.wire.send(source, (self.pcscf, 5060), data)

    # What arrives

    def _requested(self, server: Server) -> None:
        handset = self._by_address.get(server.local)
        if handset is None:
            return
        method = server.request.method
        if method == "INVITE":
            self.calls.invited(server, handset)
        elif method == "CANCEL":
            self.calls.cancelled(server, handset)
        elif method == "BYE":
            self.calls.ended(server)
        elif method in ("MESSAGE", "NOTIFY", "OPTIONS"):
            server.respond(sip.reply(server.request, 200, "OK", self.token()))
        else:
            server.respond(sip.reply(server.request, 405, "Method Not Allowed", self.token()))

    # What happens of its own accord

    def switch_all_on(self, seconds: float) -> None:
        """Every handset registers for the first time, evenly at random over some seconds."""
        for handset, wait in zip(self.handsets, self.rng.uniform(0, seconds, len(self.handsets)), strict=True):
            handset.spread = True
            self.loop.call_later(float(wait), handset.switch_on)

    def live(self, second_of_day: float) -> None:
        """Calls, messages, pings and power cycles from now on."""
        load, size = self.network.load, self.network.subscribers / 3600
        acts: tuple[tuple[float, Callable[[], None]], ...] = (
            (load.calls_per_hour * size, self._call),
            (load.messages_per_hour * size, self._message),
            (load.options_per_hour * size, self._options),
            (load.power_cycles_per_hour * size, self._power_cycle),
        )
        start = self.loop.time()
        for (rate, act), rng in zip(acts, self._streams, strict=True):
            self._next(arrivals(load, rate, second_of_day, rng), act, start)

    def _next(self, times: Iterator[float], act: Callable[[], None], start: float) -> None:
        at = next(times, None)
        if at is not None:
            self.loop.call_at(start + at, self._act, times, act, start)

    def _act(self, times: Iterator[float], act: Callable[[], None], start: float) -> None:
        act()
        self._next(times, act, start)

    def _anybody(self, fit: Callable[[Handset], bool]) -> Handset | None:
        """A handset at random; None where a dozen draws find none that fits."""
        for index in self._pick.integers(len(self.handsets), size=12):
            handset = self.handsets[int(index)]
            if fit(handset):
                return handset
        return None

    def _call(self) -> None:
        caller = self._anybody(lambda one: one.registered and not one.busy)
        callee = self._anybody(lambda one: one is not caller)
        if caller and callee:
            self.spawn(self.calls.dial(caller, callee))

    def _message(self) -> None:
        sender = self._anybody(lambda one: one.registered)
        to = self._anybody(lambda one: one is not sender)
        if sender and to:
            self.spawn(sender.message(to))

    def _options(self) -> None:
        sender = self._anybody(lambda one: one.registered)
        if sender:
            self.spawn(sender.options())

    def _power_cycle(self) -> None:
        handset = self._anybody(lambda one: one.registered and not one.busy)
        if handset:
            handset.switch_off(5 + float(self.rng.exponential(OFF_MEAN)))

    def _storm_on(self) -> None:
        if self._storm <= 0:
            return
        handset = self._anybody(lambda one: not one.busy)
        if handset:
            handset.switch_on(anew=True)
        self.loop.call_later(float(self.rng.exponential(1 / self._storm)), self._storm_on)

    # Orders

    def order(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """{"switch_on": seconds}, {"live": second of the day}, {"storm": registrations/s} or {}; all tell the state."""
        if "switch_on" in order:
            self.switch_all_on(float(order["switch_on"]))
        if "live" in order:
            self.live(float(order["live"]))
        if "storm" in order:
            begins = self._storm <= 0
            self._storm = float(order["storm"])
            if begins:
                self._storm_on()
        return {
            "registered": sum(handset.registered for handset in self.handsets),
            "calls": len(self.calls),
            "dropped": self.wire.dropped,
            **self.layer.counts,
            "outcomes": dict(self.counts),
        }
