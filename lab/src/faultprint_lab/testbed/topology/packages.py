"""What the bed needs from the machine, and one sentence that says what is missing."""

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
"""Debian packages, in the order in which `make testbed-setup` installs them."""

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
    """Path of a program, looked for in the super-user's folders too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SBIN}")


def modules() -> Path | None:
    """The folder of Kamailio's modules."""
    found = (path for pattern in _FOLDERS for path in sorted(Path("/").glob(pattern)))
    return next((path for path in found if (path / "tm.so").exists()), None)


def missing() -> str | None:
    """One sentence that says why no bed can be started here; None where one can."""
    if sys.platform != "linux":
        return f"The test bed needs Linux with network namespaces; this is {sys.platform}."
    if os.geteuid() != 0:
        return "The test bed makes network namespaces and must be run as root; try sudo."
    lacking = {package for name, package in _PROGRAMS.items() if program(name) is None}
    folder = modules()
    lacking |= {package for name, package in _MODULES.items() if folder is None or not (folder / name).exists()}
    if lacking:
        named = ", ".join(package for package in PACKAGES if package in lacking)
        return (
            f"The test bed needs the Debian package{'s' if len(lacking) > 1 else ''} {named}: run make testbed-setup."
        )
    return None


if __name__ == "__main__":
    print(*PACKAGES)
