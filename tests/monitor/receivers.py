"""Senders that misbehave as a plan says."""

from __future__ import annotations

from collections.abc import Iterable

from faultprint.publish.message import DeliveryOutcome, Message, Receipt


class Moody:
    """Answers with the outcomes of a plan, then delivers; remembers what it delivered."""

    def __init__(self, plan: Iterable[DeliveryOutcome | Exception] = ()) -> None:
        self.plan = list(plan)
        self.received: list[Message] = []
        self.closed = False

    def send(self, message: Message) -> Receipt:
        outcome = self.plan.pop(0) if self.plan else DeliveryOutcome.DELIVERED
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is DeliveryOutcome.DELIVERED:
            self.received.append(message)
        return Receipt(outcome, detail=f"was {outcome}")

    def close(self) -> None:
        self.closed = True
