"""Train an encoder on labelled minutes, enrol one example of each fault, and score the verdicts.

    python examples/train_and_evaluate.py MINUTES LABELS OUT

Needs the extra `train`. The figures are optimistic: the same networks train and are scored. Use other networks for real figures.
"""

from __future__ import annotations

import sys
from pathlib import Path

import faultprint as fp


def main(minutes_path: str, labels_path: str, out: str) -> None:
    minutes, labels = fp.read_minutes(minutes_path), fp.read_labels(labels_path)
    report = fp.train(minutes, labels, Path(out) / "model.faultprint", fp.TrainingConfig(epochs=1))
    model = fp.load_model(Path(out) / "model.faultprint")
    print(f"trained on {', '.join(report.networks)}; macro-F1 {report.score:.2f} on {', '.join(report.held_out)}")
    with fp.open_library(Path(out) / "cases.db", create=True) as library:
        for fault in (
            labels.filter(~labels["condition"].cast(str).is_in(["normal", "recovery", "maintenance"]))
            .unique("condition")
            .sort("condition")
            .iter_rows(named=True)
        ):
            example = fp.enrol(
                minutes,
                model,
                condition=fault["condition"],
                interval=(fault["start"], fault["end"]),
                node=fault["node"],
            )
            library.add([example])
        figures = fp.evaluate(minutes, labels, model, library)
    print({name: figures[name] for name in ("macro_f1_exposed", "false_alarms_per_day", "episodes_found")})


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python examples/train_and_evaluate.py MINUTES LABELS OUT")
    main(*sys.argv[1:])
