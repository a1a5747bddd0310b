"""Reports of a running training."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from faultprint.errors import UsageError
from faultprint.training.log import EPOCHS_FILE, JsonLines, LatestScore, TensorBoard
from faultprint.training.loop import Epoch, History


def epoch(score: float, loss: float = 1.0) -> Epoch:
    return Epoch(loss, 0.1, 3.0, score, 2.0, 100.0, 1e-3)


def lines(folder: Path) -> list[dict[str, float | None]]:
    return [json.loads(line) for line in (folder / EPOCHS_FILE).read_text().splitlines()]


def test_every_epoch_is_one_line_even_after_a_restart(tmp_path: Path) -> None:
    history, log = History(), JsonLines(tmp_path / "new" / "log")
    assert not (tmp_path / "new").exists()
    log(history)
    for score in (0.5, 0.6):
        history.epochs.append(epoch(score))
        log(history)
    # Killed after the line and before the checkpoint: the second epoch is repeated.
    history.epochs.pop()
    log = JsonLines(tmp_path / "new" / "log")
    log(history)
    history.epochs.append(epoch(0.7, float("nan")))
    log(history)
    found = lines(tmp_path / "new" / "log")
    assert [(line["epoch"], line["score"], line["loss"]) for line in found] == [(1, 0.5, 1.0), (2, 0.7, None)]
    assert {"active_share", "effective_dimensions", "seconds", "windows_per_second", "learning_rate"} <= set(found[0])


def test_the_bar_shows_the_latest_score_and_the_best() -> None:
    history, latest = History(), LatestScore()
    latest(history)
    assert latest.text == ""
    history.epochs += [epoch(0.8), epoch(0.25)]
    latest(history)
    assert latest.text == "epoch 2, macro-F1 0.250, best 0.800"


def test_a_missing_tensorboard_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=r"which is not installed; install it with `pip install tensorboard`"):
        TensorBoard(tmp_path)


def test_event_files_hold_every_epoch_once(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    history = History()
    for restart in ((0.5, 0.6), (0.7, 0.8)):
        board = TensorBoard(tmp_path)
        board(history)
        for score in restart:
            history.epochs.append(epoch(score))
            board(history)
        del history.epochs[1:]
    found = accumulator.EventAccumulator(str(tmp_path))
    found.Reload()
    assert [(one.step, round(one.value, 3)) for one in found.Scalars("score")] == [(1, 0.5), (2, 0.7), (3, 0.8)]
