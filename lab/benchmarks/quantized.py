"""The effect of quantised buffers: recorded minutes are replayed with and without, and the verdicts are compared.

python -m benchmarks.quantized MINUTES MODEL LIBRARY
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from faultprint import storage
from faultprint.tables import VERDICTS, WARMING_UP

_CODE = "from faultprint.cli import main; main()"


def compare(minutes: Path, model: Path, library: Path) -> dict[str, Any]:
    """Verdicts after warm-up, the share with another condition, and the differences of distances relative to their median."""
    with tempfile.TemporaryDirectory() as folder:
        exact, quantized = (_replayed(Path(folder), minutes, model, library, word) for word in ("false", "true"))
    ready = exact["condition"] != WARMING_UP
    difference = ((exact["distance"] - quantized["distance"]).abs() / exact["distance"].median()).filter(ready)
    return {
        "verdicts": int(ready.sum()),
        "other_condition": float((exact["condition"] != quantized["condition"]).filter(ready).mean()),  # type: ignore[arg-type]
        "distance_apart_median": float(difference.median()),  # type: ignore[arg-type]
        "distance_apart_p99": float(difference.quantile(0.99)),  # type: ignore[arg-type]
    }


def _replayed(folder: Path, minutes: Path, model: Path, library: Path, quantized: str) -> pl.DataFrame:
    config, out = folder / f"{quantized}.toml", folder / f"{quantized}.parquet"
    config.write_text(
        f'model = "{model.resolve()}"\nlibrary = "{library.resolve()}"\nstate = "{quantized}.db"\n'
        f"[nodes]\nquantized = {quantized}\n[retention]\nverdict_minutes = 1000000\n"
    )
    arguments = ["replay", str(minutes), "--config", str(config), "--out", str(out)]
    subprocess.run([sys.executable, "-c", _CODE, *arguments], check=True, stdout=subprocess.DEVNULL)
    return storage.read(out, VERDICTS)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantized", description=__doc__)
    for name in ("minutes", "model", "library"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    print(json.dumps(compare(given.minutes, given.model, given.library)))


if __name__ == "__main__":
    main()
