"""The programs and packages that a bed needs, and a message about what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final

PACKAGES: Final = (
    "kamailio",
    "kamailio-ims-modules",
    "kamailio-extra-modules",
    "kamailio-sqlite-modules",
    "kamailio-presence-modules",
    "sip-tester",
    "nftables",
    "iproute2",
    "tcpdump",
)
"""Debian packages, in the order of installation by `make testbed-setup`."""

_PROGRAMS: Final = {"kamailio": "kamailio", "nft": "nftables", "ip": "iproute2", "tc": "iproute2", "tcpdump": "tcpdump"}
_MODULES: Final = {
    "ims_registrar_pcscf.so": "kamailio-ims-modules",
    "siptrace.so": "kamailio-extra-modules",
    "db_sqlite.so": "kamailio-sqlite-modules",
    "presence.so": "kamailio-presence-modules",
}
_FOLDERS: Final = ("usr/lib/*/kamailio/modules", "usr/lib/kamailio/modules", "usr/lib64/kamailio/modules")
_SBIN: Final = "/usr/sbin:/sbin"


def program(name: str) -> str | None:
    """Path of a program, also from the folders of the super-user."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SBIN}")


def modules() -> Path | None:
    """The folder of Kamailio's modules; None if they are not installed."""
    folders = (path for pattern in _FOLDERS for path in sorted(Path("/").glob(pattern)))
    return next((path for path in folders if (path / "tm.so").exists()), None)


def missing() -> str | None:
    """The reason why no bed can be started on this machine; None if it can."""
    if sys.platform != "linux":
        return f"The test bed needs Linux with network namespaces; this is {sys.platform}."
    if os.geteuid() != 0:
        return "The test bed creates network namespaces and must be run as root; try sudo."
    absent = {package for name, package in _PROGRAMS.items() if program(name) is None}
    folder = modules()
    absent |= {package for name, package in _MODULES.items() if folder is None or not (folder / name).exists()}
    if absent:
        names = ", ".join(package for package in PACKAGES if package in absent)
        return f"The test bed needs the Debian package{'s' if len(absent) > 1 else ''} {names}: run make testbed-setup."
    return None


if __name__ == "__main__":
    print(*PACKAGES)
