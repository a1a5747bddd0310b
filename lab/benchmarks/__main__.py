"""Run the benchmarks one after another, print a table, and write the figures as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from faultprint.files import replacing

STAGES = ("probe", "simulate", "features", "training", "inference", "streaming", "monitor", "hep_monitor")
ON_REQUEST = ("keras",)
"""Benchmarks that run only if they are named."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = ", ".join((*STAGES, *ON_REQUEST))
    parser.add_argument(
        "stages", nargs="*", default=STAGES, help=f"which of {known} (default: all except {ON_REQUEST[0]})"
    )
    parser.add_argument("--out", type=Path, default=Path("build/bench/figures.json"))
    arguments = parser.parse_args()
    if unknown := set(arguments.stages) - {*STAGES, *ON_REQUEST}:
        parser.error(f"there is no benchmark {min(unknown)!r}; choose from {known}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for stage in arguments.stages:
        for row in importlib.import_module(f"benchmarks.{stage}").run():
            rows.append(row)
            ratio = f"{row['ratio']:.1f} × " if row["ratio"] is not None else ""
            print(
                f"{row['name']:<32}{row['value']:>16,.0f} {row['unit']:<16} {ratio}{row['against'] or ''}", flush=True
            )
    with replacing(arguments.out) as temporary:
        temporary.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
