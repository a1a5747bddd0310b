"""Score minutes one by one, as the live monitor does, without files, sockets or clocks.

python examples/stream.py MINUTES MODEL LIBRARY
"""

from __future__ import annotations

import sys

import faultprint as fp


def main(minutes_path: str, model_path: str, library_path: str) -> None:
    minutes = fp.read_minutes(minutes_path).sort("minute")
    model = fp.load_model(model_path)
    last: dict[str, str] = {}
    with fp.open_library(library_path) as library:
        stream = fp.Stream(model, library)
    for rows in minutes.partition_by("minute", maintain_order=True):
        for verdict in stream.push(rows).iter_rows(named=True):
            if last.get(verdict["node"]) != verdict["condition"]:
                print(verdict["minute"], verdict["node"], verdict["condition"], *(verdict["evidence"] or [])[:1])
            last[verdict["node"]] = verdict["condition"]


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python examples/stream.py MINUTES MODEL LIBRARY")
    main(*sys.argv[1:])
