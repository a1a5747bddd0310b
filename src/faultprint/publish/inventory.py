"""Names and identifiers of nodes in the network inventory (in ONAP: A&AI)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from faultprint.publish.text import MAX_NAME, clean

MAX_ATTRIBUTES: Final = 32
"""Maximum number of attributes of an element that an event carries."""


@dataclass(frozen=True, slots=True)
class InventoryElement:
    """A node in the inventory.

    name         in A&AI: vnf-name or vserver-name
    id           in A&AI: vnf-id; empty if unknown
    attributes   further A&AI attributes that the policy of a control loop checks, such as
                 {"generic-vnf.is-closed-loop-disabled": "false", "generic-vnf.prov-status": "ACTIVE"}
    """

    name: str
    id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


Inventory = Mapping[str, InventoryElement]
"""Node → element."""


def element_of(inventory: Inventory, node: str) -> InventoryElement:
    """The element of a node, with cleaned texts. A node that is not in the inventory keeps its own name."""
    element = inventory.get(node) or InventoryElement(node)
    attributes = {
        clean(name, MAX_NAME): clean(value, MAX_NAME)
        for name, value in sorted(element.attributes.items())[:MAX_ATTRIBUTES]
    }
    return InventoryElement(clean(element.name, MAX_NAME) or "unnamed", clean(element.id, MAX_NAME), attributes)
