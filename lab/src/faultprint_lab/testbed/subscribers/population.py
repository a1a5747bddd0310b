"""All subscribers of a bed: when they act, how they handle received requests, and the commands that control them."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import numpy as np

from faultprint_lab.testbed.protocols import sip
from faultprint_lab.testbed.protocols.transactions import ServerTransaction, SipTimers, TransactionLayer
from faultprint_lab.testbed.protocols.udp_transport import UdpTransport
from faultprint_lab.testbed.subscribers.arrivals import arrivals
from faultprint_lab.testbed.subscribers.calls import CallRegistry
from faultprint_lab.testbed.subscribers.handset import Handset
from faultprint_lab.testbed.topology.addresses import LINKS, REALM, subscriber
from faultprint_lab.testbed.topology.network import BedNetwork

OFF_MEAN = 40.0
"""Mean seconds for which a handset stays off in a power cycle."""


class SubscriberPopulation:
    """The handsets of a bed on one UDP socket. The same seed gives the same attempts; the network decides the outcomes."""

    def __init__(self, network: BedNetwork, seed: int, loop: asyncio.AbstractEventLoop) -> None:
        self.network, self.loop = network, loop
        self.realm, self.pcscf = REALM, LINKS["gm"]["pcscf"]
        streams = np.random.SeedSequence([seed, 1]).spawn(6)
        self.rng, self._pick, *self._streams = (np.random.default_rng(stream) for stream in streams)
        self.counts: Counter[str] = Counter()
        self.transport = UdpTransport(5060, lambda local, data: self.layer.receive(local, data))
        timers = SipTimers(network.t1_ms / 1e3, network.t2_ms / 1e3)
        self.layer = TransactionLayer(self._send, timers, loop, self._on_request)
        self.handsets = [Handset(f"user{index}", subscriber(index), self) for index in range(network.subscribers)]
        self.calls = CallRegistry(self)
        self._by_address = {handset.address: handset for handset in self.handsets}
        self._seed, self._tokens = seed, 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._storm = 0.0
        self.transport.attach(loop)

    def token(self) -> str:
        """A new unique string for a tag, branch or Call-ID."""
        self._tokens += 1
        return hashlib.blake2b(f"{self._seed}:{self._tokens}".encode(), digest_size=9).hexdigest()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as a background task."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            self.counts["errors"] += 1
            self.loop.call_exception_handler({"message": "handset failed", "exception": task.exception()})

    def _send(self, source: str, data: bytes) -> None:
        self.transport.send(source, (self.pcscf, 5060), data)

    # Received requests

    def _on_request(self, server: ServerTransaction) -> None:
        handset = self._by_address.get(server.local)
        if handset is None:
            return
        method = server.request.method
        if method == "INVITE":
            self.calls.on_invite(server, handset)
        elif method == "CANCEL":
            self.calls.on_cancel(server, handset)
        elif method == "BYE":
            self.calls.on_bye(server)
        elif method in ("MESSAGE", "NOTIFY", "OPTIONS"):
            server.respond(sip.make_response(server.request, 200, "OK", self.token()))
        else:
            server.respond(sip.make_response(server.request, 405, "Method Not Allowed", self.token()))

    # Spontaneous actions

    def switch_all_on(self, seconds: float) -> None:
        """Switch every handset on at a random time within `seconds`."""
        for handset, wait in zip(self.handsets, self.rng.uniform(0, seconds, len(self.handsets)), strict=True):
            handset.stagger = True
            self.loop.call_later(float(wait), handset.switch_on)

    def start_traffic(self, second_of_day: float) -> None:
        """Start calls, messages, pings and power cycles."""
        load, size = self.network.load, self.network.subscribers / 3600
        actions: tuple[tuple[float, Callable[[], None]], ...] = (
            (load.calls_per_hour * size, self._call),
            (load.messages_per_hour * size, self._message),
            (load.options_per_hour * size, self._options),
            (load.power_cycles_per_hour * size, self._power_cycle),
        )
        start = self.loop.time()
        for (rate, action), rng in zip(actions, self._streams, strict=True):
            self._schedule_next(arrivals(load, rate, second_of_day, rng), action, start)

    def _schedule_next(self, times: Iterator[float], action: Callable[[], None], start: float) -> None:
        time = next(times, None)
        if time is not None:
            self.loop.call_at(start + time, self._act, times, action, start)

    def _act(self, times: Iterator[float], action: Callable[[], None], start: float) -> None:
        action()
        self._schedule_next(times, action, start)

    def _random_handset(self, suitable: Callable[[Handset], bool]) -> Handset | None:
        """A random suitable handset; None if twelve draws find none."""
        for index in self._pick.integers(len(self.handsets), size=12):
            handset = self.handsets[int(index)]
            if suitable(handset):
                return handset
        return None

    def _call(self) -> None:
        caller = self._random_handset(lambda handset: handset.registered and not handset.busy)
        callee = self._random_handset(lambda handset: handset is not caller)
        if caller and callee:
            self.spawn(self.calls.dial(caller, callee))

    def _message(self) -> None:
        sender = self._random_handset(lambda handset: handset.registered)
        recipient = self._random_handset(lambda handset: handset is not sender)
        if sender and recipient:
            self.spawn(sender.send_message(recipient))

    def _options(self) -> None:
        sender = self._random_handset(lambda handset: handset.registered)
        if sender:
            self.spawn(sender.send_options())

    def _power_cycle(self) -> None:
        handset = self._random_handset(lambda handset: handset.registered and not handset.busy)
        if handset:
            handset.switch_off(5 + float(self.rng.exponential(OFF_MEAN)))

    def _register_in_storm(self) -> None:
        if self._storm <= 0:
            return
        handset = self._random_handset(lambda handset: not handset.busy)
        if handset:
            handset.switch_on(reset=True)
        self.loop.call_later(float(self.rng.exponential(1 / self._storm)), self._register_in_storm)

    # Commands

    def handle_command(self, command: Mapping[str, Any]) -> Mapping[str, Any]:
        """Execute a command and return the state.

        {"switch_on": seconds}, {"start_traffic": second of the day}, {"storm": registrations per second}, or {}.
        """
        if "switch_on" in command:
            self.switch_all_on(float(command["switch_on"]))
        if "start_traffic" in command:
            self.start_traffic(float(command["start_traffic"]))
        if "storm" in command:
            starts = self._storm <= 0
            self._storm = float(command["storm"])
            if starts:
                self._register_in_storm()
        return {
            "registered": sum(handset.registered for handset in self.handsets),
            "calls": len(self.calls),
            "dropped": self.transport.dropped,
            **self.layer.counts,
            "outcomes": dict(self.counts),
        }
