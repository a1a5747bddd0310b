"""From minutes to verdicts with one enrolled fault.

    python examples/capture_to_verdicts.py MINUTES MODEL

MINUTES is a file that `faultprint features` or `fp.build_minutes` wrote; for a capture, call `fp.probe_captures` first.
"""

from __future__ import annotations

import sys

import faultprint as fp


def main(minutes_path: str, model_path: str) -> None:
    minutes = fp.read_minutes(minutes_path)
    model = fp.load_model(model_path)
    node = minutes["node"][0]
    start, end = minutes["minute"][100], minutes["minute"][130]
    with fp.open_library(":memory:", create=True) as library:
        library.add([fp.enrol(minutes, model, condition="my-fault", interval=(start, end), node=node)])
        verdicts = fp.identify(minutes, model, library)
    print(verdicts.group_by("node", "condition").len().sort("node", "condition"))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/capture_to_verdicts.py MINUTES MODEL")
    main(*sys.argv[1:])
