"""Kamailio configuration of the three CSCFs: templates in `config/`, filled in from a `TestbedNetwork`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final

from faultprint.probe.messages.dictionary import ApplicationId
from faultprint_lab.testbed.topology.addresses import LINKS, REALM
from faultprint_lab.testbed.topology.network import BedNetwork

CSCFS: Final = ("pcscf", "icscf", "scscf")
_PLACEHOLDER = re.compile(r"@@([A-Z0-9_]+)@@")

_RX_REGISTER: Final = """
	# In this build the function leaves a transaction suspended when it finds nothing to do, and the answer is lost.
	# So ask only for new contacts.
	if ($sht(bearer=>$si::$sp) == $null) {
		Rx_AAR_Register("REGISTER_AAR", "location");
		switch ($retcode) {
			case -1:
				route(NO_BEARER);
				exit;
			case 0:
				exit;
		}
	}"""
_RX_SESSION: Final = """
	if (t_check_status("200") && has_body("application/sdp")) {
		if (t_is_retr_async_reply()) drop();
		$avp(CALLID) = $ci;
		$avp(FTAG) = $ft;
		$avp(TTAG) = $tt;
		$var(aar) = Rx_AAR("SESSION_AAR", "orig", "", -1);
		switch ($var(aar)) {
			case 1:
				exit;
			case -1:
				drop();
				exit;
			default:
				dlg_terminate("all", "No Bearer");
				exit;
		}
	}"""
_SIPTRACE: Final = """
listen=udp:{source}
loadmodule "siptrace"
modparam("siptrace", "trace_on", 1)
modparam("siptrace", "trace_to_database", 0)
modparam("siptrace", "trace_mode", 1)
modparam("siptrace", "hep_mode_on", 1)
modparam("siptrace", "hep_version", 3)
modparam("siptrace", "hep_capture_id", 1)
modparam("siptrace", "duplicate_uri", "sip:{collector}")
modparam("siptrace", "send_sock_addr", "sip:{source}")
"""

_TABLES: Final = {
    "icscf.db": """
        CREATE TABLE version (table_name VARCHAR(32) PRIMARY KEY, table_version INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE nds_trusted_domains (id INTEGER PRIMARY KEY, trusted_domain VARCHAR(83) NOT NULL);
        CREATE TABLE s_cscf (id INTEGER PRIMARY KEY, name VARCHAR(83) NOT NULL, s_cscf_uri VARCHAR(83) NOT NULL);
        CREATE TABLE s_cscf_capabilities
            (id INTEGER PRIMARY KEY, id_s_cscf INTEGER NOT NULL DEFAULT 0, capability INTEGER NOT NULL DEFAULT 0);
        INSERT INTO nds_trusted_domains VALUES (1, '{realm}');
        INSERT INTO s_cscf VALUES (1, 'S-CSCF', 'sip:scscf.{realm}:5060');
        INSERT INTO s_cscf_capabilities VALUES (1, 1, 0), (2, 1, 1);
    """,
}
_PRESENCE: Final = Path("/usr/share/kamailio/db_sqlite")


def fill(template: str, values: Mapping[str, object]) -> str:
    """Replace each @@NAME@@ in the template. Raises KeyError for a name without a value."""
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), template)


def write(folder: Path, network: BedNetwork, modules: Path, hep: str | None) -> None:
    """Write configurations, Diameter peers and databases of the three CSCFs into `folder`.

    `hep` is the ADDRESS:PORT of a HEP collector on the dns link. With it, the P-CSCF sends every message as HEPv3.
    """
    write_configurations(folder, network, modules, hep)
    for name, script in _TABLES.items():
        _database(folder / name, script.format(realm=REALM))
    presence = "".join((_PRESENCE / f"{part}-create.sql").read_text() for part in ("standard", "presence"))
    _database(folder / "scscf.db", presence)


def write_configurations(folder: Path, network: BedNetwork, modules: Path, hep: str | None) -> None:
    """Write the configuration files and Diameter peer files of the three CSCFs; arguments as in `write`."""
    templates = resources.files("faultprint_lab.testbed.topology") / "config"
    for node in CSCFS:
        values = _values(folder, network, modules, node, hep)
        for source, target in (
            ("common.cfg", f"{node}-common.cfg"),
            (f"{node}.cfg",) * 2,
            ("diameter.xml", f"{node}.xml"),
        ):
            (folder / target).write_text(fill((templates / source).read_text(), values))


def _values(folder: Path, network: BedNetwork, modules: Path, node: str, hep: str | None) -> dict[str, object]:
    core = node != "pcscf"
    trace = _SIPTRACE.format(collector=hep, source=f"{LINKS['dns']['pcscf']}:9061") if hep else ""
    return {
        "FOLDER": folder,
        "MODULES": modules,
        "NODE": node,
        "REALM": REALM,
        "CHILDREN": network.children,
        "DNS_TIMEOUT": network.dns_timeout,
        "FR_TIMER": network.timeout_ms,
        "FR_INV_TIMER": network.invite_timeout_ms,
        "CORE_FR": network.core_timeout_ms,
        "AS_FR": network.as_timeout_ms,
        "T1": network.t1_ms,
        "T2": network.t2_ms,
        "NONCE_REUSE": network.nonce_reuse,
        "GM": LINKS["gm"]["pcscf"],
        "MW": LINKS["mw"][node],
        "ISC": LINKS["isc"]["scscf"],
        "SIPTRACE": trace,
        "RX_REGISTER": _RX_REGISTER if network.rx else "",
        "RX_SESSION": _RX_SESSION if network.rx else "",
        "PEER": "hss" if core else "pcrf",
        "APPLICATION": int(ApplicationId.CX if core else ApplicationId.RX),
        "BEARER_EXPIRE": network.expiry + 60,
        "WATCHDOG": network.watchdog,
        "CX_TIMEOUT": network.cx_timeout,
    }


def _database(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    try:
        # These tables are not needed after a crash, and waiting for the disk would cost 0.5 s.
        connection.executescript(f"PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN;{script}")
        connection.commit()
    finally:
        connection.close()
