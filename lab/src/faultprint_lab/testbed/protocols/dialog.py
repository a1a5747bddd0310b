"""A dialog as one user agent sees it (RFC 3261, chapter 12)."""

from __future__ import annotations

from dataclasses import dataclass, field

from faultprint_lab.testbed.protocols import sip


@dataclass(slots=True)
class Dialog:
    """What in-dialog requests are built from. `own` and `other` are From and To values with their tags."""

    call_id: str
    own: str
    other: str
    target: str
    routes: list[str] = field(default_factory=list)
    cseq: int = 1

    @classmethod
    def of_caller(cls, request: sip.SipText, response: sip.SipText) -> Dialog:
        """From the request that was sent and its 2xx."""
        return cls(
            call_id=request.get("call-id"),
            own=request.get("from"),
            other=response.get("to"),
            target=sip.address(response.get("contact")),
            routes=response.all("record-route")[::-1],
            cseq=request.cseq[0],
        )

    @classmethod
    def of_callee(cls, request: sip.SipText, own: str) -> Dialog:
        """From the request that was received; `own` is the To value with the tag that was put on it."""
        return cls(
            call_id=request.get("call-id"),
            own=own,
            other=request.get("from"),
            target=sip.address(request.get("contact")),
            routes=request.all("record-route"),
            cseq=1,
        )

    def request(self, method: str, via: str) -> sip.SipText:
        """The next request in the dialog; an ACK repeats the INVITE's number."""
        if method != "ACK":
            self.cseq += 1
        return sip.SipText(
            method=method,
            uri=self.target,
            headers=[
                ("via", via),
                *(("route", route) for route in self.routes),
                ("max-forwards", "70"),
                ("from", self.own),
                ("to", self.other),
                ("call-id", self.call_id),
                ("cseq", f"{self.cseq} {method}"),
            ],
        )
