"""What the network's inventory (in ONAP: A&AI) calls a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from faultprint.publish.text import NAME, clean

ATTRIBUTES: Final = 32
"""Attributes of an element that are told, at most."""


@dataclass(frozen=True, slots=True)
class Element:
    """A node in the inventory.

    name         in A&AI: vnf-name or vserver-name
    id           in A&AI: vnf-id; empty where not known
    attributes   further A&AI attributes that a control loop's policy looks at, such as
                 {"generic-vnf.is-closed-loop-disabled": "false", "generic-vnf.prov-status": "ACTIVE"}
    """

    name: str
    id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


Inventory = Mapping[str, Element]
"""Node → element."""


def element_of(inventory: Inventory, node: str) -> Element:
    """The node's element, its texts bounded; a node that is not in the inventory goes by its own name."""
    found = inventory.get(node) or Element(node)
    attributes = {
        clean(name, NAME): clean(value, NAME) for name, value in sorted(found.attributes.items())[:ATTRIBUTES]
    }
    return Element(clean(found.name, NAME) or "unnamed", clean(found.id, NAME), attributes)
