"""A dialog as seen by one user agent (RFC 3261, 12)."""

from __future__ import annotations

from dataclasses import dataclass, field

from faultprint_lab.testbed.protocols import sip


@dataclass(slots=True)
class Dialog:
    """The state for in-dialog requests.

    local, remote   From and To header values with tags
    remote_target   URI of the peer's Contact
    route_set       Route header values
    """

    call_id: str
    local: str
    remote: str
    remote_target: str
    route_set: list[str] = field(default_factory=list)
    cseq: int = 1

    @classmethod
    def for_caller(cls, request: sip.SipPdu, response: sip.SipPdu) -> Dialog:
        """The dialog of a sent request and its 2xx response."""
        return cls(
            call_id=request.get("call-id"),
            local=request.get("from"),
            remote=response.get("to"),
            remote_target=sip.uri_of(response.get("contact")),
            route_set=response.all("record-route")[::-1],
            cseq=request.cseq[0],
        )

    @classmethod
    def for_callee(cls, request: sip.SipPdu, local: str) -> Dialog:
        """The dialog of a received request; `local` is the To value with the tag of the response."""
        return cls(
            call_id=request.get("call-id"),
            local=local,
            remote=request.get("from"),
            remote_target=sip.uri_of(request.get("contact")),
            route_set=request.all("record-route"),
            cseq=1,
        )

    def request(self, method: str, via: str) -> sip.SipPdu:
        """The next request in the dialog; an ACK has the CSeq number of the INVITE."""
        if method != "ACK":
            self.cseq += 1
        return sip.SipPdu(
            method=method,
            uri=self.remote_target,
            headers=[
                ("via", via),
                *(("route", route) for route in self.route_set),
                ("max-forwards", "70"),
                ("from", self.local),
                ("to", self.remote),
                ("call-id", self.call_id),
                ("cseq", f"{self.cseq} {method}"),
            ],
        )
