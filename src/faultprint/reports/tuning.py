"""The report of a tuning: what mattered, the best settings beside the defaults, every trial; one HTML page, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError
from faultprint.files import check_folder, replacing
from faultprint.reports import html
from faultprint.reports.svg import WIDTH, Axis, Plot, bars
from faultprint.training.config import RANGES, Hyperparameters
from faultprint.training.tuning.study import TrialResult
from faultprint.training.tuning.tune import TuningReport

SUFFIXES: Final = (".html", ".json")
FEW: Final = 30
"""Whole trials below which shares of twelve settings are little more than hints."""


def check(path: Path) -> None:
    """Raise UsageError unless a report can be written there."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"The report is a page or JSON, but {path} ends in neither .html nor .json; give it such a name."
        )
    check_folder(path)


def write(found: TuningReport, path: Path) -> None:
    """Write the report, all or nothing."""
    page = path.suffix.lower() == ".html"
    text = render(found) if page else json.dumps(found.as_dict(), indent=2, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def lines(found: TuningReport) -> Iterator[str]:
    """The report on a terminal."""
    stopped = sum(one.score is None for one in found.tried)
    yield f"trials: {len(found.tried)}, {stopped} of them stopped early ({found.bound}, {found.folds} folds)"
    yield f"macro-F1 of the defaults: {_score(found.tried[0])}, of the best (trial {found.best.number}): {_score(found.best)}"
    yield f"on other folds: {found.check[0]:.3f}, {found.check[1]:.3f}"
    defaults, best = Hyperparameters().as_dict(), found.best.settings.as_dict()
    yield f"{'setting':<24}{'default':>10}{'best':>10}{'matters':>10}"
    for name in _by_importance(found):
        share = f"{found.importances[name]:.0%}" if found.importances else "–"
        yield f"{name:<24}{defaults[name]:>10.4g}{best[name]:>10.4g}{share:>10}"


def render(found: TuningReport) -> str:
    """The page."""
    folder = files("faultprint.reports")
    style = "".join(folder.joinpath(name).read_text("utf-8") for name in ("report.css", "tuning.css"))
    main = "\n".join((_cards(found), _importances(found), _course(found), _table(found), _single(found)))
    return html.woven(
        folder.joinpath("tuning.html").read_text("utf-8"),
        {"/*{{style}}*/": style, "<!--{{head}}-->": _head(found), "<!--{{main}}-->": main},
    )


def _head(found: TuningReport) -> str:
    facts = {
        "study": Path(found.study).name,
        "trials": str(len(found.tried)),
        "stopped early": str(sum(one.score is None for one in found.tried)),
        "networks": str(len(found.networks)),
        "folds": str(found.folds),
        "bound": found.bound,
        "seed": str(found.seed),
    }
    items = "".join(f"<li>{name} <b>{escape(value)}</b></li>" for name, value in facts.items())
    return (
        "<h1>Settings tried, and what mattered</h1>\n<p class='lead'>Every trial trains the default preset anew with other "
        "settings, once for each fold of the networks. Its score is the mean over the folds of the best epoch's macro-F1 on the "
        f"networks held out.</p>\n<ul class='facts'>{items}</ul>"
    )


def _cards(found: TuningReport) -> str:
    cards = (
        ("Defaults", _score(found.tried[0]), "macro-F1, networks held out"),
        ("Best trial", _score(found.best), f"trial {found.best.number}; chosen by this figure, which flatters it"),
        ("Defaults, other folds", f"{found.check[0]:.3f}", "other first weights, too"),
        ("Best trial, other folds", f"{found.check[1]:.3f}", "this is the fair comparison"),
    )
    each = (
        f'<div class="card"><p class="label">{label}</p><p class="value">{value}</p><p class="word">{word}</p></div>'
        for label, value, word in cards
    )
    return f'<section class="cards">{"".join(each)}</section>'


def _importances(found: TuningReport) -> str:
    whole = sum(one.score is not None for one in found.tried)
    if not found.importances:
        return _section("What mattered", f"{whole} whole trials are too few to say; try more.", "")
    caution = f" With {whole} whole trials these are hints; {FEW} or more make them firm." if whole < FEW else ""
    words = (
        f"The share of the score's variation among whole trials that goes with each setting alone (fANOVA).{caution}"
    )
    drawn = bars([(name, found.importances[name]) for name in _by_importance(found)], "How much each setting mattered")
    return _section("What mattered", words, f'<div class="plot">{drawn}</div>')


def _course(found: TuningReport) -> str:
    plot = Plot(Axis(1, max(len(found.tried), 2)), _scores(found), WIDTH, 220)
    parts: list[str] = []
    best: list[tuple[int, float]] = []
    for one in found.tried:
        if one.score is None:
            parts.append(plot.tick(one.number, f"trial {one.number}: stopped early"))
            continue
        best.append((one.number, max([one.score, *(score for _, score in best[-1:])])))
        parts.append(plot.point(one.number, one.score, _kind(found, one), _words(one)))
    drawn = plot.drawn("Scores of all trials", [plot.steps(best), *parts])
    words = "Each trial's score, the best so far as a line; strokes at the foot were stopped early. Grey: defaults, amber: best."
    return _section("Trial by trial", words, f'<div class="plot">{drawn}</div>')


def _table(found: TuningReport) -> str:
    defaults, best = Hyperparameters().as_dict(), found.best.settings.as_dict()
    rows = []
    for name in _by_importance(found):
        share = f"{found.importances[name]:.0%}" if found.importances else "–"
        cells = (f"{defaults[name]:.4g}", f"{best[name]:.4g}", str(RANGES[name]), share)
        rows.append(f"<tr><th>{name}</th>{_numbers('td', cells)}</tr>")
    heads = f"<tr><th>setting</th>{_numbers('th', ('default', 'best', 'tried', 'mattered'))}</tr>"
    table = f"<table><thead>{heads}</thead><tbody>{''.join(rows)}</tbody></table>"
    return _section("Settings", "The best trial's settings beside the defaults.", f'<div class="scroll">{table}</div>')


def _numbers(tag: str, cells: Iterable[str]) -> str:
    return "".join(f'<{tag} class="number">{cell}</{tag}>' for cell in cells)


def _single(found: TuningReport) -> str:
    plots = []
    for name in _by_importance(found):
        one = RANGES[name]
        plot = Plot(Axis(one.low, one.high, one.log), _scores(found), 300, 170)
        dots = [
            plot.point(tried.settings.as_dict()[name], tried.score, _kind(found, tried), _words(tried))
            # The marked ones last, on top.
            for tried in sorted(found.tried, key=lambda tried: _kind(found, tried) != "trial")
            if tried.score is not None
        ]
        title = f'<text class="name" x="56" y="22">{name}</text>'
        plots.append(f'<div class="plot">{plot.drawn(f"Score by {name}", [title, *dots])}</div>')
    words = "Score of the whole trials over each setting. Where the points show no slope, the setting hardly matters."
    return _section("One setting at a time", words, f'<div class="plots">{"".join(plots)}</div>')


def _section(title: str, words: str, content: str) -> str:
    return f"<section><h2>{title}</h2><p>{words}</p>{content}</section>"


def _by_importance(found: TuningReport) -> list[str]:
    return sorted(RANGES, key=lambda name: -found.importances.get(name, 0.0))


def _scores(found: TuningReport) -> Axis:
    scores = [one.score for one in found.tried if one.score is not None]
    return Axis(min(scores), max(scores))


def _kind(found: TuningReport, one: TrialResult) -> str:
    if one.number == found.best.number:
        return "best"
    return "default" if one.number == 1 else "trial"


def _words(one: TrialResult) -> str:
    return f"trial {one.number}: {_score(one)}"


def _score(one: TrialResult) -> str:
    return "–" if one.score is None else f"{one.score:.3f}"
