"""The faults of a bed: how each is injected and removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from faultprint.errors import UsageError
from faultprint.probe.messages.dictionary import ResultCode
from faultprint_lab.testbed.topology import cgroups, links, namespaces
from faultprint_lab.testbed.topology.bed import Bed, pause_processes, process_usage

CYCLE: Final = 20.0
"""Seconds of one cycle of an intermittent fault."""


@dataclass(frozen=True, slots=True)
class LoadMeasurement:
    """Load of the bed before a fault: CPU share of the P-CSCF, and bytes per second on its Mw link."""

    cpu: float
    mw_bytes: float


@dataclass(frozen=True, slots=True)
class BedFault:
    """A fault of a bed.

    severity       meaning of a severity from 0 to 1
    begin, end     inject and remove the fault
    intermittent   whether a fault of severity s is on at full strength for the share s of each cycle
    """

    name: str
    severity: str
    begin: Callable[[Bed, float, np.random.Generator, LoadMeasurement], None]
    end: Callable[[Bed], None]
    intermittent: bool = False


def _hss_link(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    links.drop(bed, ['iifname "cx-*" tcp dport 3868', 'iifname "cx-*" tcp sport 3868'])


def _pcrf(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    links.drop(bed, ['iifname "rx-*" tcp dport 3868', 'iifname "rx-*" tcp sport 3868'])


def _core_leg(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    links.drop(bed, ["iifname mw-pcscf", "oifname mw-pcscf"])


def _blocked(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
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


def _loss(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    share = max(1, round(0.2 * severity * 1000))
    chance = f"ether type ip numgen random mod 1000 < {share}"
    links.drop(bed, [f'iifname "gm-*" {chance}', f"iifname mw-pcscf {chance}", f"oifname mw-pcscf {chance}"])


def _capacity(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    # Signalling comes in bursts of many times its mean, and lost fragments are retransmitted. At a low rate, 1.25 times
    # the mean is too little for a link, but 1.5 times is enough.
    links.limit(bed, max(32.0, readings.mw_bytes * 8 / 1000 * 1.5 * (4 / 15) ** severity))


def _hss_slow(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    bed.send_command("servers", {"hss": {"delay": 3.0 * severity}})


def _hss_errors(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    code = int(rng.choice([ResultCode.UNABLE_TO_COMPLY, ResultCode.TOO_BUSY]))
    bed.send_command("servers", {"hss": {"error_share": severity, "error_code": code}})


def _restore_hss(bed: Bed) -> None:
    bed.send_command("servers", {"hss": {}})


def _dns_slow(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    bed.send_command("servers", {"dns": {"delay": 0.3 * 20**severity}})


def _restore_dns(bed: Bed) -> None:
    bed.send_command("servers", {"dns": {"delay": 0.0}})


def _as_failing(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    bed.send_command("servers", {"as": {"failing": severity, "silent": bool(rng.random() < 0.5)}})


def _restore_as(bed: Bed) -> None:
    bed.send_command("servers", {"as": {"failing": 0.0}})


def _storm(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    network = bed.network
    normal_rate = network.subscribers / (network.expiry * network.refresh_at)
    bed.send_command("load", {"storm": normal_rate * (2 + 28 * severity)})


def _end_storm(bed: Bed) -> None:
    bed.send_command("load", {"storm": 0.0})


def _overload(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    if not cgroups.available():
        raise UsageError("This machine has no CPU controller for control groups; remove overload from the plan.")
    cgroups.limit(bed.name, readings.cpu * (1.2 - 0.9 * severity))


def _remove_cpu_limit(bed: Bed) -> None:
    cgroups.limit(bed.name, None)


def _hang(bed: Bed, severity: float, rng: np.random.Generator, readings: LoadMeasurement) -> None:
    pause_processes(namespaces.pids(bed.namespace("scscf")), True)


def _resume(bed: Bed) -> None:
    pause_processes(namespaces.pids(bed.namespace("scscf")), False)


_ALL: Final = (
    BedFault("hss-link-down", "share of each 20 s in which the Cx link drops everything", _hss_link, links.clear, True),
    BedFault("hss-slow", "delay of each Cx answer: 1 is 3 s", _hss_slow, _restore_hss),
    BedFault("hss-errors", "share of Cx requests that are answered with an error", _hss_errors, _restore_hss),
    BedFault("pcrf-down", "share of each 20 s in which the Rx link drops everything", _pcrf, links.clear, True),
    BedFault(
        "traffic-blocked",
        "share of subscribers whose Gm traffic is dropped; 1: all traffic on Gm and Mw",
        _blocked,
        links.clear,
    ),
    BedFault(
        "core-leg-down",
        "share of each 20 s in which the P-CSCF's Mw link drops everything",
        _core_leg,
        links.clear,
        True,
    ),
    BedFault("scscf-down", "share of each 20 s in which the S-CSCF hangs (SIGSTOP)", _hang, _resume, True),
    BedFault(
        "link-at-capacity",
        "limit of the Mw rate: from 1.5 times the rate before the fault down to 0.4 times",
        _capacity,
        links.unlimit,
    ),
    BedFault("packet-loss", "loss on Gm and Mw: 1 is 20 %", _loss, links.clear),
    BedFault(
        "overload",
        "limit of the P-CSCF's CPU: from 120 % of its use before the fault down to 30 %",
        _overload,
        _remove_cpu_limit,
    ),
    BedFault("dns-slow", "delay of each DNS answer: 0.3 s × 20^severity, up to 6 s", _dns_slow, _restore_dns),
    BedFault(
        "registration-storm", "additional initial registrations: 2 to 30 times the normal rate", _storm, _end_storm
    ),
    BedFault(
        "as-failing",
        "share of INVITEs that fail at the application server, by 503 or without a response",
        _as_failing,
        _restore_as,
    ),
)

FAULTS: Final[Mapping[str, BedFault]] = MappingProxyType({fault.name: fault for fault in _ALL})
"""All faults by name."""


def measure_load(bed: Bed, wait: Callable[[], None]) -> LoadMeasurement:
    """Measure the load of a bed without a fault while `wait` sleeps."""
    pids = cgroups.members(bed.name)  # the namespace also has the probe
    started = time.monotonic()
    before = process_usage(pids)["cpu_s"], links.bytes_carried(bed)
    wait()
    after = process_usage(pids)["cpu_s"], links.bytes_carried(bed)
    seconds = max(0.1, time.monotonic() - started)
    return LoadMeasurement(cpu=max(0.002, (after[0] - before[0]) / seconds), mw_bytes=(after[1] - before[1]) / seconds)
