"""From a capture to a table of minutes, and the busiest features.

python examples/capture.py CAPTURE OUT [NAME=ADDRESS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import faultprint as fp


def main(capture: str, out: str, node: str = "node") -> None:
    folder = Path(out)
    transactions = fp.probe_captures([capture], folder / "transactions.parquet", nodes=[node], key_file=folder / "key")
    minutes = fp.read_minutes(fp.build_minutes(transactions, folder / "minutes.parquet"))
    print(f"{len(minutes)} minutes of {', '.join(minutes['node'].cast(str).unique())}")
    attempts = [name for name in fp.SIP_CATALOGUE.names if name.endswith(".attempts")]
    for name in attempts:
        if total := minutes[name].sum():
            print(f"{name:<40} {total:.0f}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: python examples/capture.py CAPTURE OUT [NAME=ADDRESS]")
    main(*sys.argv[1:])
