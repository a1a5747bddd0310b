"""Calls between handsets, both sides: INVITE, 180, 200, 486, 480, CANCEL, BYE."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faultprint_lab.testbed.protocols import sip
from faultprint_lab.testbed.protocols.dialog import Dialog
from faultprint_lab.testbed.protocols.transactions import Client, Server
from faultprint_lab.testbed.subscribers.arrivals import CallPlan, back_off, call_plan

if TYPE_CHECKING:
    from faultprint_lab.testbed.subscribers.handset import Handset
    from faultprint_lab.testbed.subscribers.population import SubscriberPopulation

REDIALS = 3
DELIBERATE = frozenset({200, 480, 486, 487, 600, 603})
"""Ends of an INVITE that a person or the handset chose; nobody dials again at once."""


@dataclass(slots=True)
class Call:
    """A call on the way: its fate, and the called side's dialog once there is one."""

    fate: CallPlan
    caller: Handset | None = None
    over: bool = False
    callee_dialog: Dialog | None = None
    callee: Handset | None = None
    timers: list[asyncio.TimerHandle] = field(default_factory=list)


class Calls:
    """Every call of a bed, known by its Call-ID to both of its sides."""

    def __init__(self, around: SubscriberPopulation) -> None:
        self._around = around
        self._calls: dict[str, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    # The caller's side

    async def dial(self, caller: Handset, callee: Handset, attempt: int = 0) -> None:
        """One call from the INVITE to its end; a failed one is dialled again by some."""
        around = self._around
        call = Call(call_plan(around.network.load, around.rng), caller)
        sdp = (("content-type", "application/sdp"), ("allow", "INVITE, ACK, CANCEL, BYE, MESSAGE, OPTIONS, NOTIFY"))
        invite = caller.request("INVITE", callee.uri, *sdp, body=session_description(caller.address))
        key = invite.get("call-id")
        self._calls[key] = call
        caller.busy = True
        try:
            status = await self._invite(caller, invite, call)
        finally:
            caller.busy = False
            self._calls.pop(key, None)
        around.counts[f"INVITE {status}"] += 1
        load = around.network.load
        if status not in DELIBERATE and attempt < REDIALS and around.rng.random() < load.redial:
            await asyncio.sleep(back_off(load, attempt + 1, around.rng))
            if caller.registered and not caller.busy:
                await self.dial(caller, callee, attempt + 1)

    async def _invite(self, caller: Handset, invite: sip.SipText, call: Call) -> int:
        layer, load = self._around.layer, self._around.network.load
        client = layer.request(caller.address, invite)
        try:
            final = await asyncio.wait_for(asyncio.shield(client.final), load.patience)
        except TimeoutError:
            final = await self._cancel(caller, client)
        if final is None:
            return 0
        if final.status < 300:
            dialog = Dialog.of_caller(invite, final)
            acknowledgement = dialog.request("ACK", caller.via()).encode()
            client.acknowledgement = acknowledgement
            layer.send(caller.address, acknowledgement)
            await self._talk(caller, dialog, call)
        return final.status

    async def _cancel(self, caller: Handset, client: Client) -> sip.SipText | None:
        """CANCEL, where a provisional response allows it (RFC 3261, 9.1), and what the INVITE then ends with."""
        layer = self._around.layer
        if client.proceeding:
            invite = client.request
            kept = ("via", "route", "max-forwards", "from", "to", "call-id")
            headers = [(name, value) for name, value in invite.headers if name in kept]
            cancel = sip.SipText("CANCEL", invite.uri, headers=[*headers, ("cseq", f"{invite.cseq[0]} CANCEL")])
            self._around.spawn(self._count(caller, cancel))
        try:
            return await asyncio.wait_for(asyncio.shield(client.final), layer.timers.timeout)
        except TimeoutError:
            layer.abandon(client)
            return None

    async def _talk(self, caller: Handset, dialog: Dialog, call: Call) -> None:
        deadline = self._around.loop.time() + call.fate.hold
        while not call.over and (left := deadline - self._around.loop.time()) > 0:
            await asyncio.sleep(min(left, 1.0))
        if call.over:
            return
        if call.fate.caller_ends or call.callee_dialog is None or call.callee is None:
            await self._count(caller, dialog.request("BYE", caller.via()))
        else:
            await self._count(call.callee, call.callee_dialog.request("BYE", call.callee.via()))

    async def _count(self, handset: Handset, message: sip.SipText) -> None:
        final = await self._around.layer.request(handset.address, message).final
        self._around.counts[f"{message.method} {final.status if final else 0}"] += 1

    # The called side

    def invited(self, server: Server, callee: Handset) -> None:
        """Answer an INVITE as its fate has it: ring, then pick up, refuse, or ring on."""
        around = self._around
        call = self._calls.get(server.request.get("call-id")) or Call(call_plan(around.network.load, around.rng))
        tag = around.token()
        chosen = 486 if callee.busy and callee is not call.caller else call.fate.answer
        if chosen in (480, 486):
            server.respond(sip.reply(server.request, chosen, "Busy Here" if chosen == 486 else "Unavailable", tag))
            return
        server.respond(sip.reply(server.request, 100, "Trying"))
        loop = around.loop
        call.timers.append(loop.call_later(call.fate.alerting, self._ring, server, callee, tag))
        if chosen == 200:
            wait = call.fate.alerting + call.fate.ringing
            call.timers.append(loop.call_later(wait, self._pick_up, server, callee, call, tag))

    def _ring(self, server: Server, callee: Handset, tag: str) -> None:
        if server.status < 200:
            server.respond(self._with_routes(server.request, 180, "Ringing", callee, tag))

    def _pick_up(self, server: Server, callee: Handset, call: Call, tag: str) -> None:
        if server.status >= 200:
            return
        answer = self._with_routes(server.request, 200, "OK", callee, tag)
        answer.headers.append(("content-type", "application/sdp"))
        answer.body = session_description(callee.address)
        call.callee, call.callee_dialog = callee, Dialog.of_callee(server.request, answer.get("to"))
        server.respond(answer)

    def _with_routes(self, request: sip.SipText, status: int, reason: str, callee: Handset, tag: str) -> sip.SipText:
        answer = sip.reply(request, status, reason, tag)
        answer.headers += [(name, value) for name, value in request.headers if name == "record-route"]
        answer.headers.append(("contact", callee.contact))
        return answer

    def cancelled(self, server: Server, callee: Handset) -> None:
        """Confirm a CANCEL and end its INVITE with 487."""
        invite = self._around.layer.invited(server.request.branch)
        if invite is None:
            server.respond(sip.reply(server.request, 481, "Call/Transaction Does Not Exist"))
            return
        server.respond(sip.reply(server.request, 200, "OK"))
        if invite.status < 200:
            invite.respond(sip.reply(invite.request, 487, "Request Terminated", self._around.token()))

    def ended(self, server: Server) -> None:
        """Confirm a BYE."""
        call = self._calls.get(server.request.get("call-id"))
        if call:
            call.over = True
        server.respond(sip.reply(server.request, 200, "OK"))


def session_description(address: str) -> bytes:
    """An audio offer or answer (RFC 4566) with AMR, as a handset makes it."""
    lines = (
        "v=0",
        f"o=- 0 0 IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
        "m=audio 49152 RTP/AVP 97 8",
        "b=AS:41",
        "a=rtpmap:97 AMR/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=sendrecv",
        "",
    )
    return "\r\n".join(lines).encode()
