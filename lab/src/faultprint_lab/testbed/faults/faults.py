"""The faults that a bed can suffer: what each does, where it does it, and how it is undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from faultprint.errors import UsageError
from faultprint_lab.testbed.protocols.diameter import Result
from faultprint_lab.testbed.topology import cgroups, links, namespaces
from faultprint_lab.testbed.topology.bed import Bed, stop, usage

CYCLE: Final = 20.0
"""Seconds of one turn of a fault that is there for a share of the time only."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What the bed did in the quiet seconds before a fault: CPU share of the P-CSCF, bytes per second on its Mw link."""

    cpu: float
    mw_bytes: float


@dataclass(frozen=True, slots=True)
class TestbedFault:
    """`begin` and `end` act on the bed; a `cycled` fault of severity s is on for s of each cycle instead of being mild."""

    name: str
    severity: str
    begin: Callable[[Bed, float, np.random.Generator, Readings], None]
    end: Callable[[Bed], None]
    cycled: bool = False


def _hss_link(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    links.drop(bed, ['iifname "cx-*" tcp dport 3868', 'iifname "cx-*" tcp sport 3868'])


def _pcrf(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    links.drop(bed, ['iifname "rx-*" tcp dport 3868', 'iifname "rx-*" tcp sport 3868'])


def _core_leg(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    links.drop(bed, ["iifname mw-pcscf", "oifname mw-pcscf"])


def _blocked(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    if severity >= 1:
        links.drop(bed, ['iifname "gm-*"', "iifname mw-pcscf", "oifname mw-pcscf"])
        return
    share, seed = round(severity * 1000), int(rng.integers(1, 2**31))
    links.drop(
        bed,
        [
            f"iifname gm-ue ether type ip jhash ip saddr mod 1000 seed {seed:#x} < {share}",
            f"oifname gm-ue ether type ip jhash ip daddr mod 1000 seed {seed:#x} < {share}",
        ],
    )


def _loss(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    share = max(1, round(0.2 * severity * 1000))
    chance = f"ether type ip numgen random mod 1000 < {share}"
    links.drop(bed, [f'iifname "gm-*" {chance}', f"iifname mw-pcscf {chance}", f"oifname mw-pcscf {chance}"])


def _capacity(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    # Signalling comes in bursts of many times its mean, and lost fragments are sent again: at a low rate a link of a
    # quarter more than the mean is short already, one of half more is not.
    links.limit(bed, max(32.0, readings.mw_bytes * 8 / 1000 * 1.5 * (4 / 15) ** severity))


def _hss_slow(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    bed.order("servers", {"hss": {"delay": 3.0 * severity}})


def _hss_errors(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    code = int(rng.choice([Result.UNABLE_TO_COMPLY, Result.TOO_BUSY]))
    bed.order("servers", {"hss": {"error_share": severity, "error_code": code}})


def _hss_well(bed: Bed) -> None:
    bed.order("servers", {"hss": {}})


def _dns_slow(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    bed.order("servers", {"dns": {"delay": 0.3 * 20**severity}})


def _dns_well(bed: Bed) -> None:
    bed.order("servers", {"dns": {"delay": 0.0}})


def _as_failing(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    bed.order("servers", {"as": {"failing": severity, "silent": bool(rng.random() < 0.5)}})


def _as_well(bed: Bed) -> None:
    bed.order("servers", {"as": {"failing": 0.0}})


def _storm(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    network = bed.network
    ordinary = network.subscribers / (network.expiry * network.refresh_at)
    bed.order("load", {"storm": ordinary * (2 + 28 * severity)})


def _calm(bed: Bed) -> None:
    bed.order("load", {"storm": 0.0})


def _overload(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    if not cgroups.available():
        raise UsageError("This machine has no CPU controller for control groups; take overload out of the plan.")
    cgroups.cap(bed.name, readings.cpu * (1.2 - 0.9 * severity))


def _relieved(bed: Bed) -> None:
    cgroups.cap(bed.name, None)


def _hang(bed: Bed, severity: float, rng: np.random.Generator, readings: Readings) -> None:
    stop(namespaces.pids(bed.namespace("scscf")), True)


def _resume(bed: Bed) -> None:
    stop(namespaces.pids(bed.namespace("scscf")), False)


_ALL: Final = (
    TestbedFault(
        "hss-link-down", "share of each 20 s in which the Cx link drops everything", _hss_link, links.clear, True
    ),
    TestbedFault("hss-slow", "delay of each Cx answer: 1 is 3 s", _hss_slow, _hss_well),
    TestbedFault("hss-errors", "share of Cx requests that are answered with an error", _hss_errors, _hss_well),
    TestbedFault("pcrf-down", "share of each 20 s in which the Rx link drops everything", _pcrf, links.clear, True),
    TestbedFault(
        "traffic-blocked",
        "share of subscribers whose Gm traffic is dropped; 1: both legs, all of it",
        _blocked,
        links.clear,
    ),
    TestbedFault(
        "core-leg-down",
        "share of each 20 s in which the P-CSCF's Mw link drops everything",
        _core_leg,
        links.clear,
        True,
    ),
    TestbedFault("scscf-down", "share of each 20 s in which the S-CSCF hangs (SIGSTOP)", _hang, _resume, True),
    TestbedFault(
        "link-at-capacity",
        "Mw rate from 1.5 times what it carried before down to 0.4",
        _capacity,
        links.unlimit,
    ),
    TestbedFault("packet-loss", "loss on Gm and Mw: 1 is 20 %", _loss, links.clear),
    TestbedFault("overload", "P-CSCF's CPU from 120 % of what it used before down to 30 %", _overload, _relieved),
    TestbedFault("dns-slow", "delay of each DNS answer: 0.3 s to 6 s, a power of 20", _dns_slow, _dns_well),
    TestbedFault("registration-storm", "initial registrations: 2 to 30 times the ordinary rate on top", _storm, _calm),
    TestbedFault(
        "as-failing", "share of INVITEs that the application server fails, by 503 or by silence", _as_failing, _as_well
    ),
)

FAULTS: Final[Mapping[str, TestbedFault]] = MappingProxyType({fault.name: fault for fault in _ALL})
"""Every fault by its name."""


def read_bed(bed: Bed, wait: Callable[[], None]) -> Readings:
    """Watch a quiet bed for as long as `wait` sleeps."""
    pids = cgroups.members(bed.name)  # the namespace holds the probe, too
    begun = time.monotonic()
    before = usage(pids)["cpu_s"], links.carried(bed)
    wait()
    after = usage(pids)["cpu_s"], links.carried(bed)
    seconds = max(0.1, time.monotonic() - begun)
    return Readings(cpu=max(0.002, (after[0] - before[0]) / seconds), mw_bytes=(after[1] - before[1]) / seconds)
