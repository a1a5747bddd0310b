"""Faults of links: frames dropped on the bridges, rates limited at the P-CSCF's Mw port.

Dropping happens on the bridge, so that a capture at the P-CSCF shows what it sent and lacks what never came (AF_PACKET
sits before the input hooks and after the output queue).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from faultprint_lab.testbed.topology.addresses import SWITCH
from faultprint_lab.testbed.topology.namespaces import command

if TYPE_CHECKING:
    from faultprint_lab.testbed.topology.bed import Bed

_TABLE: Final = "fault"
_LIMITED: Final = (("pcscf", "mw"), (SWITCH, "mw-pcscf"))
"""Where the two directions of the P-CSCF's Mw link are queued."""
_BURST: Final = 3000
_QUEUE_MS: Final = 2000


def drop(bed: Bed, matches: Sequence[str]) -> None:
    """Drop the frames that match, on all of the bed's bridges."""
    rules = "\n".join(f"    {match} counter drop" for match in matches)
    table = (
        f"table bridge {_TABLE} {{\n  chain forward {{\n    type filter hook forward priority 0;\n{rules}\n  }}\n}}\n"
    )
    command(["ip", "netns", "exec", bed.namespace(SWITCH), "nft", "-f", "-"], f"{_gone()}{table}")


def clear(bed: Bed) -> None:
    """Drop nothing any more."""
    command(["ip", "netns", "exec", bed.namespace(SWITCH), "nft", "-f", "-"], _gone())


def _gone() -> str:
    # Adding before deleting makes the deletion good whether or not the table exists.
    return f"add table bridge {_TABLE}\ndelete table bridge {_TABLE}\n"


def limit(bed: Bed, kbit: float) -> None:
    """A token bucket in each direction of the P-CSCF's Mw link."""
    for node, device in _LIMITED:
        shape = ["root", "tbf", "rate", f"{kbit:.0f}kbit", "burst", str(_BURST), "latency", f"{_QUEUE_MS}ms"]
        command(["tc", "-n", bed.namespace(node), "qdisc", "replace", "dev", device, *shape])


def unlimit(bed: Bed) -> None:
    """Full speed again."""
    for node, device in _LIMITED:
        command(["tc", "-n", bed.namespace(node), "qdisc", "del", "dev", device, "root"], check=False)


def carried(bed: Bed) -> float:
    """Bytes that the busier direction of the P-CSCF's Mw link has carried so far."""
    path = "/sys/class/net/mw/statistics"
    text = command(["ip", "netns", "exec", bed.namespace("pcscf"), "cat", f"{path}/rx_bytes", f"{path}/tx_bytes"])
    return max(float(word) for word in text.split())
