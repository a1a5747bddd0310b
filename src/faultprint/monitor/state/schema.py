"""The tables of the monitor's state, for SQLite and PostgreSQL."""

from __future__ import annotations

import re
from typing import Final

SCHEMA_VERSION: Final = 2
"""Since 2 blobs carry checksums and a node may be forgotten; the tables are those of 1."""
READABLE_VERSIONS: Final = (1, 2)
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
CREATE TABLE alarm (
    identity TEXT PRIMARY KEY, open {integer} NOT NULL, changed {integer} NOT NULL, state {integer} NOT NULL,
    severity {integer} NOT NULL, raised {integer} NOT NULL, cleared {integer}, problem {text} NOT NULL, object TEXT NOT NULL,
    ack_user TEXT, ack_system TEXT, clear_user TEXT, clear_system TEXT
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
_INDICES: Final = (
    "CREATE INDEX incident_open ON incident (open, changed)",
    "CREATE INDEX alarm_order ON alarm (open DESC, changed, identity)",
    "CREATE INDEX alarm_raised ON alarm (raised)",
    "CREATE INDEX alarm_severity ON alarm (severity, raised)",
    "CREATE INDEX alarm_object ON alarm (object)",
)


def statements(*, integer: str, blob: str, serial: str, text: str = "TEXT", after: str = "") -> list[str]:
    """The CREATE statements.

    `serial`: an automatic number; `text`: text that is sorted by code points; `after`: text after each table definition.
    """
    tables = _TABLES.format(integer=integer, blob=blob, serial=serial, text=text).strip().split("\nCREATE ")
    return [*(f"CREATE {table.removeprefix('CREATE ')}{after}" for table in tables), *_INDICES]


def added(schema: list[str]) -> list[str]:
    """The statements for what earlier states of this version lack: the table of alarms."""
    return [statement for statement in schema if re.search(r"\balarm\b", statement)]
