"""A slow reference implementation of the catalogue in plain Python: one transaction, interval and feature at a time.

It follows docs/reference/features.md and shares only column names with the product. So the two agree only if both follow
the rules.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

Row = dict[str, Any]
Key = tuple[str, int]

INVITES = ("INVITE.originating", "INVITE.terminating")
IN_KEYS = {
    "REGISTER.initial": "in.register_initial",
    "REGISTER.refresh": "in.register_refresh",
    "REGISTER.deregistration": "in.register_deregistration",
    "INVITE.originating": "in.invite_originating",
    "INVITE.terminating": "in.invite_terminating",
    "BYE": "in.bye",
}
OPERATION_KEYS = (*IN_KEYS.values(), "in.other", "out.register", "out.invite", "out.other")
DIAMETER = ("UAR", "SAR", "LIR", "MAR", "AAR", "STR", "RAR", "ASR")


def operation_of(row: Row) -> str:
    if row["direction"] == "in":
        return IN_KEYS.get(row["method"], "in.other")
    if row["method"].startswith("REGISTER"):
        return "out.register"
    return "out.invite" if row["method"] in INVITES else "out.other"


def share_of(status: int | None) -> str:
    if status is None or status == 408:
        return "timeout_share"
    if 200 <= status < 300:
        return "success_share"
    if status in (401, 407):
        return "challenge_share"
    if status in (480, 486, 487, 600, 603) or 300 <= status < 400:
        return "user_share"
    return "server_error_share" if 500 <= status < 600 else "client_error_share"


def impossible(row: Row) -> bool:
    later = [row[name] for name in ("completion", "provisional", "ringing") if row[name] is not None]
    status, session = row["status"], row["session_us"]
    return (
        row["protocol"] != "SIP"
        or row["method"] in DIAMETER
        or any(time < row["start"] for time in later)
        or (row["completion"] is not None and status is not None and not 200 <= status <= 699)
        or (session is not None and not 0 <= session <= 366 * 86_400 * 10**6)
    )


def nearest_rank(values: list[int], percent: int) -> int | None:
    return sorted(values)[math.ceil(percent * len(values) / 100) - 1] if values else None


def divided(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


def seconds(micro: int | None) -> float | None:
    return None if micro is None else micro / 1_000_000


def covering(coverage: list[tuple[str, int, int]], node: str, time: int) -> tuple[str, int, int] | None:
    return next((s for s in coverage if s[0] == node and s[1] <= time < s[2]), None)


def minutes(rows: list[Row], coverage: list[tuple[str, int, int]], interval: int) -> dict[Key, Row]:
    """By node and start of interval: every feature as a float32 or None, and `observed`.

    `rows` holds times as µs or None; `coverage` (node, start, end) neither overlap nor touch.
    """
    result: dict[Key, Row] = {}
    for node, start, end in coverage:
        for begin in range(start // interval * interval, end, interval):
            result.setdefault((node, begin), {"observed": 0, "started": [], "completed": []})
            covered = min(end, begin + interval) - max(start, begin)
            result[node, begin]["observed"] += covered
    kept = [row for row in rows if not impossible(row) and covering(coverage, row["node"], row["start"])]
    for row in kept:
        result[row["node"], row["start"] // interval * interval]["started"].append(row)
        completion = row["completion"]
        if completion is not None and covering(coverage, row["node"], completion):
            result[row["node"], completion // interval * interval]["completed"].append(row)
    for (node, begin), cell in result.items():
        last = max((s for s in coverage if s[0] == node and s[1] < begin + interval), key=lambda s: s[1])
        still_open = 0
        for row in kept:
            interval_of_start = covering(coverage, node, row["start"]) if row["node"] == node else None
            done = row["completion"]
            closed = (
                done is not None and done < begin + interval and covering(coverage, node, done) == interval_of_start
            )
            still_open += interval_of_start == last and row["start"] < begin + interval and not closed
        cell |= features(cell.pop("started"), cell.pop("completed")) | {"node.open": still_open}
        cell["observed"] /= interval
        for name, value in cell.items():
            cell[name] = None if value is None else np.float32(value)
    return result


def features(started: list[Row], completed: list[Row]) -> dict[str, float | None]:
    by_operation: dict[str, list[Row]] = defaultdict(list)
    for row in completed:
        by_operation[operation_of(row)].append(row)
    values: dict[str, float | None] = {}
    for key in OPERATION_KEYS:
        values |= {
            f"{key}.{name}": value
            for name, value in of_operation([r for r in started if operation_of(r) == key], by_operation[key]).items()
        }
    return values | of_node(started, completed)


def of_operation(started: list[Row], ended: list[Row]) -> dict[str, float | None]:
    shares = [share_of(row["status"]) for row in ended]
    first_answers = [row["provisional"] if row["ringing"] is None else row["ringing"] for row in ended]
    delays = [row["completion"] - row["start"] for row in ended if row["status"] is not None]
    provisional = [t - row["start"] for t, row in zip(first_answers, ended, strict=True) if t is not None]
    names = ("success", "challenge", "user", "client_error", "server_error", "timeout")
    return {
        "attempts": len(started),
        **{f"{name}_share": divided(shares.count(f"{name}_share"), len(ended)) for name in names},
        "retransmission_share": divided(sum(row["retransmissions"] for row in ended), len(ended)),
        "provisional_delay": seconds(nearest_rank(provisional, 50)),
        "delay_median": seconds(nearest_rank(delays, 50)),
        "delay_p95": seconds(nearest_rank(delays, 95)),
        "bytes_mean": divided(sum(row["bytes"] for row in ended), len(ended)),
    }


def of_node(started: list[Row], completed: list[Row]) -> dict[str, float | None]:
    received = [row for row in completed if row["direction"] == "in"]
    invites = [row["status"] for row in received if row["method"] in INVITES]
    registers = [row["status"] for row in received if row["method"].startswith("REGISTER")]
    redirected = sum(status is not None and 300 <= status < 400 for status in invites)
    challenged = sum(status in (401, 407) for status in registers)
    settled = sum(status is not None and 200 <= status < 400 for status in registers)
    ringing = [r["ringing"] - r["start"] for r in received if r["method"] in INVITES and r["ringing"] is not None]
    sessions = [
        row["session_us"]
        for row in completed
        if row["method"] == "BYE"
        and row["session_us"] is not None
        and row["status"] is not None
        and 200 <= row["status"] < 300
    ]
    sent = sum(row["direction"] == "out" for row in started)
    ineffective = sum(status is None or status in (408, 500, 503, 504) for status in invites)
    effective = sum(status in (200, 480, 486, 600, 603) for status in invites)
    return {
        "node.ser": divided(invites.count(200), len(invites) - redirected),
        "node.seer": divided(effective, len(invites) - redirected),
        "node.isa": divided(ineffective, len(invites)),
        "node.ira": divided(len(registers) - challenged - settled, len(registers) - challenged),
        "node.srd_p95": seconds(nearest_rank(ringing, 95)),
        "node.sdt_mean": divided(sum(sessions), len(sessions) * 1_000_000),
        "node.messages": sum(row["messages"] for row in completed),
        "node.bytes": sum(row["bytes"] for row in completed),
        "node.users": len({row["user"] for row in started if row["user"] is not None}),
        "node.response_retransmission_share": divided(
            sum(row["response_retransmissions"] for row in completed), len(completed)
        ),
        "node.forwarded_share": divided(sent, len(started) - sent),
    }
