"""The agents that send HEP: each has its own clock, order of messages, and signs of life."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from operator import attrgetter
from typing import Final, NamedTuple

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.capture.agents.clock import AgentClock
from faultprint.probe.capture.reorder import HOLD_US, MAX_HELD, CausalReorderBuffer
from faultprint.probe.transactions.duplicates import AGENTS
from faultprint.probe.transactions.nodes import split_leg
from faultprint.probe.types import HeardMessage
from faultprint.units import SECOND_US

MAX_AGENTS: Final = 256
"""A new agent beyond this number takes the place of an agent that reports no watched node, or is refused."""

_MAX_LEGS: Final = 12_288
_time = attrgetter("time")

AgentKey = tuple[str, int]
"""IP address of the sender, and capture-agent id (chunk 12)."""


class AgentStatus(NamedTuple):
    """What is known of an agent. `offset_us`: its clock is this far behind the arrival clock; None: not known yet."""

    address: str
    agent: int
    offset_us: int | None
    messages: int
    unbelieved: int
    heard_us: int

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        offset = None if self.offset_us is None else self.offset_us / SECOND_US
        return {
            "address": self.address,
            "agent": self.agent,
            "clock_offset_seconds": offset,
            "messages": self.messages,
            "unbelieved_stamps": self.unbelieved,
        }


class Agent:
    """One agent. `heard_us`: when its last packet arrived; `spoke_us`: node → when it last reported a message of the node."""

    __slots__ = ("clock", "heard_us", "key", "messages", "number", "reorder", "reported", "spoke_us")

    def __init__(self, key: AgentKey, number: int, bound_us: int) -> None:
        """`number`: a copy of a message comes from an agent with another number (`transactions.duplicates`)."""
        self.key, self.number = key, number
        self.clock: AgentClock[HeardMessage] = AgentClock(bound_us)
        self.reorder = CausalReorderBuffer()
        self.spoke_us: dict[str, int] = {}
        self.heard_us = self.messages = 0
        self.reported: tuple[int | None, bool] = (0, False)
        """The offset, and whether there were unbelieved stamps, as in the last log event."""

    @property
    def status(self) -> AgentStatus:
        """What is known of it."""
        clock = self.clock
        return AgentStatus(*self.key, clock.offset_us, self.messages, clock.unbelieved, self.heard_us)


class AgentTable:
    """The agents of all HEP sources of a probe, at most MAX_AGENTS.

    `watched`: endpoint in wire form (`nodes.parse_endpoint`) → name of the node. `bound_us`: see AgentClock.
    """

    def __init__(self, watched: Mapping[bytes, str], bound_us: int, silence_us: int) -> None:
        """`silence_us`: an agent that reports a watched node keeps its place until it is silent for so long."""
        self._watched, self._bound_us, self._silence_us = dict(watched), bound_us, silence_us
        self._agents: dict[AgentKey, Agent] = {}
        self._numbers = count(AGENTS)
        self._unbelieved_before = 0
        self._names: BoundedTable[bytes, tuple[str, ...]] = BoundedTable(_MAX_LEGS)
        """Leg → names of the watched nodes at its ends."""

    @property
    def unbelieved(self) -> int:
        """Messages that were dropped because of their stamp, of all agents."""
        return self._unbelieved_before + sum(agent.clock.unbelieved for agent in self._agents.values())

    def __iter__(self) -> Iterator[Agent]:
        return iter(list(self._agents.values()))

    def get(self, key: AgentKey, now_us: int) -> Agent | None:
        """The agent, new if need be; None if there is no room for it."""
        agent = self._agents.get(key)
        if agent is None:
            if len(self._agents) >= MAX_AGENTS and not self._make_room(now_us):
                return None
            agent = self._agents[key] = Agent(key, next(self._numbers), self._bound_us)
        return agent

    def receive(self, agent: Agent, heard: HeardMessage, since_us: int, now_us: int) -> None:
        """A message that arrived after `since_us` and by `now_us`. Its time is the agent's stamp and is corrected here."""
        clock, stamp = agent.clock, heard.time
        agent.messages += 1
        if clock.fits(stamp, since_us, now_us):
            self._put(agent, heard, stamp + (clock.offset_us or 0), now_us)
        else:
            for time, believed in clock.examine(stamp, heard, since_us, now_us):
                self._put(agent, believed, time, now_us)

    def take(self, until_us: int, now_us: int, everything: bool = False) -> list[HeardMessage]:
        """The messages of all agents up to HOLD_US before `until_us`, in order of time."""
        taken: list[HeardMessage] = []
        held = 0
        for agent in self._agents.values():
            if agent.clock.waits:
                for time, heard in agent.clock.settle(now_us):
                    self._put(agent, heard, time, now_us)
            taken += agent.reorder.take(until_us - HOLD_US, everything)
            held += len(agent.reorder)
        if held > MAX_HELD:
            taken += max(self._agents.values(), key=lambda agent: len(agent.reorder)).reorder.take(0, True)
        if len(self._agents) > 1:
            taken.sort(key=_time)
        return taken

    def speakers(self, node: str) -> list[tuple[int, int]]:
        """When each agent last reported the node, and when it was last heard; µs."""
        return [(agent.spoke_us[node], agent.heard_us) for agent in self if node in agent.spoke_us]

    def statuses(self) -> list[AgentStatus]:
        """All agents, those with most messages first."""
        return sorted((agent.status for agent in self), key=lambda status: -status.messages)

    def set_back(self, now_us: int) -> None:
        """The arrival clock was put back: nothing was heard after `now_us`."""
        for agent in self._agents.values():
            agent.heard_us = min(agent.heard_us, now_us)
            agent.spoke_us = {node: min(time, now_us) for node, time in agent.spoke_us.items()}

    def _put(self, agent: Agent, heard: HeardMessage, time_us: int, now_us: int) -> None:
        names = self._names.get(heard.leg)
        if names is None:
            self._names.put(heard.leg, names := self._names_of(heard.leg))
        for name in names:
            agent.spoke_us[name] = now_us
        heard.time = time_us
        agent.reorder.put(heard)

    def _names_of(self, leg: bytes) -> tuple[str, ...]:
        names = (self._watched.get(end[:-2]) or self._watched.get(end) for end in split_leg(leg))
        return tuple(name for name in names if name is not None)

    def _make_room(self, now_us: int) -> bool:
        """Remove the agent that was silent for longest among those that may go."""
        removable = [
            agent for agent in self._agents.values() if not agent.spoke_us or now_us - agent.heard_us > self._silence_us
        ]
        if not removable:
            return False
        removed = min(removable, key=lambda agent: (bool(agent.spoke_us), agent.heard_us))
        self._unbelieved_before += removed.clock.unbelieved
        del self._agents[removed.key]
        return True


def watched_names(nodes: Mapping[str, Sequence[bytes]]) -> dict[bytes, str]:
    """Endpoint → name of the node, for AgentTable."""
    return {endpoint: name for name, endpoints in nodes.items() for endpoint in endpoints}
