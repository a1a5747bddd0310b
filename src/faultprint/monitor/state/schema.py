"""The tables of the monitor's state, for SQLite and PostgreSQL."""

from __future__ import annotations

import re
from typing import Final

SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = 0x46504D4E  # "FPMN"
_TABLES: Final = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL)
CREATE TABLE node (id {integer} PRIMARY KEY, name TEXT NOT NULL, network TEXT NOT NULL, normal {blob})
CREATE TABLE counter (name TEXT PRIMARY KEY, data {blob} NOT NULL)
CREATE TABLE frame (
    kind TEXT NOT NULL, minute {integer} NOT NULL, nodes {blob} NOT NULL, data {blob} NOT NULL, PRIMARY KEY (kind, minute)
)
CREATE TABLE verdicts (
    minute {integer} PRIMARY KEY, data {blob} NOT NULL, conditions TEXT NOT NULL, evidence TEXT NOT NULL
)
CREATE TABLE incident (
    identity TEXT PRIMARY KEY, node TEXT NOT NULL, open {integer} NOT NULL, changed {integer} NOT NULL, document TEXT NOT NULL
)
CREATE TABLE instruction (
    number {serial}, identity TEXT NOT NULL, deed TEXT NOT NULL, "user" TEXT NOT NULL, system TEXT NOT NULL,
    time {integer} NOT NULL, text TEXT NOT NULL
)
CREATE TABLE message (
    number {serial}, sink TEXT NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL, body {blob} NOT NULL,
    content_type TEXT NOT NULL, headers TEXT NOT NULL, UNIQUE (sink, id)
)
CREATE TABLE aside (
    number {serial}, sink TEXT NOT NULL, id TEXT NOT NULL, body {blob} NOT NULL, reason TEXT NOT NULL, time {integer} NOT NULL
)
"""
TABLES: Final = tuple(re.findall(r"CREATE TABLE (\w+)", _TABLES))
_INDEX: Final = "CREATE INDEX incident_open ON incident (open, changed)"


def statements(*, integer: str, blob: str, serial: str, after: str = "") -> list[str]:
    """The CREATE statements. `serial`: an automatic number; `after`: text after each table definition."""
    tables = _TABLES.format(integer=integer, blob=blob, serial=serial).strip().split("\nCREATE ")
    return [*(f"CREATE {table.removeprefix('CREATE ')}{after}" for table in tables), _INDEX]
