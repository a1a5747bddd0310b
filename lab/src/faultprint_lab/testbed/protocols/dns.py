"""Answers of an authoritative DNS server for one zone of A records (RFC 1035), on top of dnspython."""

from __future__ import annotations

from collections.abc import Mapping

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset


class DnsError(ValueError):
    """The bytes are no DNS query with exactly one question."""


def answer(data: bytes, zone: Mapping[str, str], ttl: int) -> bytes:
    """The response to the query in `data`.

    `zone` maps names in lower case to IPv4 addresses. A known name gets its A record, or an empty answer for another
    type; an unknown name gets NXDOMAIN. Raises DnsError.
    """
    try:
        query = dns.message.from_wire(data)
        if query.flags & dns.flags.QR or query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            raise DnsError("the message is no query with exactly one question")
        response = dns.message.make_response(query)
    except (dns.exception.DNSException, ValueError) as error:
        raise DnsError(f"{len(data)} bytes are no DNS query ({error})") from error
    response.flags |= dns.flags.AA
    question = query.question[0]
    address = zone.get(question.name.to_text(omit_final_dot=True).lower())
    if address is None:
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif question.rdtype == dns.rdatatype.A and question.rdclass == dns.rdataclass.IN:
        response.answer.append(dns.rrset.from_text(question.name, ttl, dns.rdataclass.IN, dns.rdatatype.A, address))
    return response.to_wire()
