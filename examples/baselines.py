"""The same minutes under four baseline policies.

python examples/baselines.py MINUTES MODEL LIBRARY
"""

from __future__ import annotations

import sys

import faultprint as fp


def main(minutes_path: str, model_path: str, library_path: str) -> None:
    minutes = fp.read_minutes(minutes_path)
    model = fp.load_model(model_path)
    first = minutes["minute"].min()
    hour = fp.Baseline.interval(first, first + (minutes["minute"][60] - minutes["minute"][0]))
    policies = {
        "first hour": fp.Baseline.first(60),
        "given hour": hour,
        "robust": fp.Baseline.robust(180),
        "population": fp.Baseline.population(),
    }
    with fp.open_library(library_path) as library:
        for name, baseline in policies.items():
            verdicts = fp.identify(minutes, model, library, baseline=baseline)
            counts = dict(verdicts["condition"].cast(str).value_counts().sort("condition").iter_rows())
            print(f"{name:<12} {counts}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python examples/baselines.py MINUTES MODEL LIBRARY")
    main(*sys.argv[1:])
