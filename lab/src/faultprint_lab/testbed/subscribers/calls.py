"""Calls between handsets, both sides: INVITE, 180, 200, 486, 480, CANCEL, BYE."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from faultprint_lab.testbed.protocols import sip
from faultprint_lab.testbed.protocols.dialog import Dialog
from faultprint_lab.testbed.protocols.transactions import ClientTransaction, ServerTransaction
from faultprint_lab.testbed.subscribers.arrivals import CallPlan, backoff_delay, draw_call
from faultprint_lab.testbed.subscribers.context import SubscriberContext
from faultprint_lab.testbed.subscribers.handset import Handset

REDIALS = 3
"""Maximum number of redials after a failed call."""
DELIBERATE_ENDS = frozenset({200, 480, 486, 487, 600, 603})
"""Final statuses that a subscriber or handset chose; there is no redial after them. 600 and 603 are global."""


@dataclass(slots=True)
class Call:
    """A call in progress: its plan, and the callee's dialog after the answer."""

    plan: CallPlan
    caller: Handset | None = None
    ended: bool = False
    callee_dialog: Dialog | None = None
    callee: Handset | None = None
    timers: list[asyncio.TimerHandle] = field(default_factory=list)


class CallRegistry:
    """All calls of a bed by Call-ID, for the caller's and the callee's side."""

    def __init__(self, context: SubscriberContext) -> None:
        self._context = context
        self._calls: dict[str, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    # Caller

    async def dial(self, caller: Handset, callee: Handset, attempt: int = 0) -> None:
        """Make one call from INVITE to the end; a failed call may be redialled."""
        context = self._context
        call = Call(draw_call(context.network.load, context.rng), caller)
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
        context.counts[f"INVITE {status}"] += 1
        load = context.network.load
        if status not in DELIBERATE_ENDS and attempt < REDIALS and context.rng.random() < load.redial:
            await asyncio.sleep(backoff_delay(load, attempt + 1, context.rng))
            if caller.registered and not caller.busy:
                await self.dial(caller, callee, attempt + 1)

    async def _invite(self, caller: Handset, invite: sip.SipPdu, call: Call) -> int:
        layer, load = self._context.layer, self._context.network.load
        client = layer.request(caller.address, invite)
        try:
            final = await asyncio.wait_for(asyncio.shield(client.final), load.patience)
        except TimeoutError:
            final = await self._cancel(caller, client)
        if final is None:
            return 0
        if final.status < 300:
            dialog = Dialog.for_caller(invite, final)
            acknowledgement = dialog.request("ACK", caller.via()).encode()
            client.acknowledgement = acknowledgement
            layer.send(caller.address, acknowledgement)
            await self._hold(caller, dialog, call)
        return final.status

    async def _cancel(self, caller: Handset, client: ClientTransaction) -> sip.SipPdu | None:
        """Send CANCEL if there was a provisional response (RFC 3261, 9.1); returns the final response to the INVITE."""
        layer = self._context.layer
        if client.proceeding:
            invite = client.request
            copied = ("via", "route", "max-forwards", "from", "to", "call-id")
            headers = [(name, value) for name, value in invite.headers if name in copied]
            cancel = sip.SipPdu("CANCEL", invite.uri, headers=[*headers, ("cseq", f"{invite.cseq[0]} CANCEL")])
            self._context.spawn(self._send_counted(caller, cancel))
        try:
            return await asyncio.wait_for(asyncio.shield(client.final), layer.timers.timeout)
        except TimeoutError:
            layer.abandon(client)
            return None

    async def _hold(self, caller: Handset, dialog: Dialog, call: Call) -> None:
        deadline = self._context.loop.time() + call.plan.hold
        while not call.ended and (remaining := deadline - self._context.loop.time()) > 0:
            await asyncio.sleep(min(remaining, 1.0))
        if call.ended:
            return
        if call.plan.caller_ends or call.callee_dialog is None or call.callee is None:
            await self._send_counted(caller, dialog.request("BYE", caller.via()))
        else:
            await self._send_counted(call.callee, call.callee_dialog.request("BYE", call.callee.via()))

    async def _send_counted(self, handset: Handset, message: sip.SipPdu) -> None:
        final = await self._context.layer.request(handset.address, message).final
        self._context.counts[f"{message.method} {final.status if final else 0}"] += 1

    # Callee

    def on_invite(self, server: ServerTransaction, callee: Handset) -> None:
        """Answer an INVITE by the call's plan: refuse, or ring and then perhaps pick up."""
        context = self._context
        call = self._calls.get(server.request.get("call-id")) or Call(draw_call(context.network.load, context.rng))
        tag = context.token()
        status = 486 if callee.busy and callee is not call.caller else call.plan.answer
        if status in (480, 486):
            server.respond(
                sip.make_response(server.request, status, "Busy Here" if status == 486 else "Unavailable", tag)
            )
            return
        server.respond(sip.make_response(server.request, 100, "Trying"))
        loop = context.loop
        call.timers.append(loop.call_later(call.plan.alerting, self._ring, server, callee, tag))
        if status == 200:
            wait = call.plan.alerting + call.plan.ringing
            call.timers.append(loop.call_later(wait, self._pick_up, server, callee, call, tag))

    def _ring(self, server: ServerTransaction, callee: Handset, tag: str) -> None:
        if server.status < 200:
            server.respond(self._with_routes(server.request, 180, "Ringing", callee, tag))

    def _pick_up(self, server: ServerTransaction, callee: Handset, call: Call, tag: str) -> None:
        if server.status >= 200:
            return
        answer = self._with_routes(server.request, 200, "OK", callee, tag)
        answer.headers.append(("content-type", "application/sdp"))
        answer.body = session_description(callee.address)
        call.callee, call.callee_dialog = callee, Dialog.for_callee(server.request, answer.get("to"))
        server.respond(answer)

    def _with_routes(self, request: sip.SipPdu, status: int, reason: str, callee: Handset, tag: str) -> sip.SipPdu:
        answer = sip.make_response(request, status, reason, tag)
        answer.headers += [(name, value) for name, value in request.headers if name == "record-route"]
        answer.headers.append(("contact", callee.contact))
        return answer

    def on_cancel(self, server: ServerTransaction, callee: Handset) -> None:
        """Accept a CANCEL and end its INVITE with 487."""
        invite = self._context.layer.find_invite(server.request.branch)
        if invite is None:
            server.respond(sip.make_response(server.request, 481, "Call/Transaction Does Not Exist"))
            return
        server.respond(sip.make_response(server.request, 200, "OK"))
        if invite.status < 200:
            invite.respond(sip.make_response(invite.request, 487, "Request Terminated", self._context.token()))

    def on_bye(self, server: ServerTransaction) -> None:
        """Accept a BYE."""
        call = self._calls.get(server.request.get("call-id"))
        if call:
            call.ended = True
        server.respond(sip.make_response(server.request, 200, "OK"))


def session_description(address: str) -> bytes:
    """A typical audio offer or answer (SDP, RFC 4566) with AMR."""
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
