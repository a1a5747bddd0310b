"""Link faults: frames dropped on the bridges, and a rate limit at the P-CSCF's Mw port.

Frames are dropped on the bridge, so a capture at the P-CSCF has what it sent and lacks what did not arrive. (AF_PACKET
is before the input hooks and after the output queue.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from faultprint_lab.testbed.topology.addresses import SWITCH
from faultprint_lab.testbed.topology.bed import Bed
from faultprint_lab.testbed.topology.namespaces import run_command

_TABLE: Final = "fault"
_LIMITED: Final = (("pcscf", "mw"), (SWITCH, "mw-pcscf"))
"""Node and interface of the queue, for each direction of the P-CSCF's Mw link."""
_BURST: Final = 3000
_QUEUE_MS: Final = 2000


def drop(bed: Bed, matches: Sequence[str]) -> None:
    """Drop the frames that match, on all bridges of the bed."""
    rules = "\n".join(f"    {match} counter drop" for match in matches)
    table = (
        f"table bridge {_TABLE} {{\n  chain forward {{\n    type filter hook forward priority 0;\n{rules}\n  }}\n}}\n"
    )
    run_command(["ip", "netns", "exec", bed.namespace(SWITCH), "nft", "-f", "-"], f"{_delete_table()}{table}")


def clear(bed: Bed) -> None:
    """Stop dropping frames."""
    run_command(["ip", "netns", "exec", bed.namespace(SWITCH), "nft", "-f", "-"], _delete_table())


def _delete_table() -> str:
    # Adding the table first makes the deletion succeed even if it did not exist.
    return f"add table bridge {_TABLE}\ndelete table bridge {_TABLE}\n"


def limit(bed: Bed, kbit: float) -> None:
    """Limit each direction of the P-CSCF's Mw link by a token bucket."""
    for node, device in _LIMITED:
        shape = ["root", "tbf", "rate", f"{kbit:.0f}kbit", "burst", str(_BURST), "latency", f"{_QUEUE_MS}ms"]
        run_command(["tc", "-n", bed.namespace(node), "qdisc", "replace", "dev", device, *shape])


def unlimit(bed: Bed) -> None:
    """Remove the limit."""
    for node, device in _LIMITED:
        run_command(["tc", "-n", bed.namespace(node), "qdisc", "del", "dev", device, "root"], check=False)


def bytes_carried(bed: Bed) -> float:
    """Bytes carried so far by the busier direction of the P-CSCF's Mw link."""
    path = "/sys/class/net/mw/statistics"
    text = run_command(["ip", "netns", "exec", bed.namespace("pcscf"), "cat", f"{path}/rx_bytes", f"{path}/tx_bytes"])
    return max(float(number) for number in text.split())
