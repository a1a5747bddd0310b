"""An operator's network in a plan: size, timers, delays and the load of its subscribers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BedLoad:
    """Load of the subscribers. Rates are per subscriber and hour at the daily peak; times are seconds."""

    calls_per_hour: float = 7.0
    messages_per_hour: float = 3.0
    options_per_hour: float = 2.0
    power_cycles_per_hour: float = 0.4
    reg_event_share: float = 0.3
    hold_median: float = 60.0
    hold_sigma: float = 0.9
    ring_median: float = 4.0
    answered: float = 0.78
    busy: float = 0.08
    unavailable: float = 0.04
    patience: float = 25.0
    caller_ends: float = 0.6
    redial: float = 0.3
    retry_first: float = 8.0
    retry_longest: float = 240.0
    night_depth: float = 0.7
    peak_hour: float = 18.0
    day_length: float = 86_400.0


@dataclass(frozen=True, slots=True)
class BedNetwork:
    """One network. Times are seconds, or milliseconds if the name ends in _ms."""

    name: str
    subscribers: int = 500
    expiry: int = 600
    refresh_at: float = 0.5
    nonce_reuse: int = 0
    t1_ms: int = 500
    t2_ms: int = 4000
    timeout_ms: int = 32_000
    core_timeout_ms: int = 5000
    invite_timeout_ms: int = 120_000
    as_timeout_ms: int = 5000
    cx_timeout: int = 5
    watchdog: int = 10
    dns_ttl: int = 10
    dns_timeout: int = 2
    dns_delay_ms: float = 1.0
    hss_delay_ms: float = 3.0
    pcrf_delay_ms: float = 3.0
    rx: bool = True
    as_share: float = 0.3
    children: int = 2
    load: BedLoad = field(default_factory=BedLoad)
