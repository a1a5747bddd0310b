"""The tuning report: importance of the settings, best settings and defaults, all trials; as an HTML page or JSON."""

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
RELIABLE_TRIALS: Final = 30
"""Number of completed trials from which the importances of twelve settings are reliable."""


def check(path: Path) -> None:
    """Raise UsageError if no report can be written to `path`."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"The report must be HTML or JSON, but {path} ends in neither .html nor .json; give another name."
        )
    check_folder(path)


def write(report: TuningReport, path: Path) -> None:
    """Write the report. The file is replaced as a whole."""
    page = path.suffix.lower() == ".html"
    text = render(report) if page else json.dumps(report.as_dict(), indent=2, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def lines(report: TuningReport) -> Iterator[str]:
    """The lines of the report for a terminal."""
    stopped = sum(result.score is None for result in report.results)
    yield f"trials: {len(report.results)}, {stopped} of them stopped early ({report.limit}, {report.folds} folds)"
    yield f"macro-F1 of the defaults: {_score(report.results[0])}, of the best (trial {report.best.number}): {_score(report.best)}"
    yield f"macro-F1 on other folds, defaults and best: {report.recheck_scores[0]:.3f}, {report.recheck_scores[1]:.3f}"
    defaults, best = Hyperparameters().as_dict(), report.best.settings.as_dict()
    yield f"{'setting':<24}{'default':>10}{'best':>10}{'importance':>12}"
    for name in _by_importance(report):
        share = f"{report.importances[name]:.0%}" if report.importances else "–"
        yield f"{name:<24}{defaults[name]:>10.4g}{best[name]:>10.4g}{share:>12}"


def render(report: TuningReport) -> str:
    """The HTML of the report."""
    folder = files("faultprint.reports")
    main = "\n".join((_cards(report), _importances(report), _course(report), _table(report), _single(report)))
    return html.fill_template(
        folder.joinpath("tuning.html").read_text("utf-8"),
        {
            "/*{{style}}*/": html.stylesheet(["report.css", "tuning.css"]),
            "<!--{{head}}-->": _head(report),
            "<!--{{main}}-->": main,
        },
    )


def _head(report: TuningReport) -> str:
    facts = {
        "study": Path(report.study).name,
        "trials": str(len(report.results)),
        "stopped early": str(sum(result.score is None for result in report.results)),
        "networks": str(len(report.networks)),
        "folds": str(report.folds),
        "bound": report.limit,
        "seed": str(report.seed),
    }
    items = "".join(f"<li>{name} <b>{escape(value)}</b></li>" for name, value in facts.items())
    return (
        "<h1>Tuning: settings and their importance</h1>\n<p class='lead'>Every trial trains the default preset with different "
        "settings, once for each fold of the networks. Its score is the mean over the folds of the best epoch's macro-F1 on the "
        f"held-out networks.</p>\n<ul class='facts'>{items}</ul>"
    )


def _cards(report: TuningReport) -> str:
    cards = (
        ("Defaults", _score(report.results[0]), "macro-F1 on held-out networks"),
        (
            "Best trial",
            _score(report.best),
            f"trial {report.best.number}; selected by this figure, which is therefore too high",
        ),
        ("Defaults, other folds", f"{report.recheck_scores[0]:.3f}", "and other initial weights"),
        ("Best trial, other folds", f"{report.recheck_scores[1]:.3f}", "compare this with the defaults on other folds"),
    )
    each = (
        f'<div class="card"><p class="label">{label}</p><p class="value">{value}</p><p class="word">{word}</p></div>'
        for label, value, word in cards
    )
    return f'<section class="cards">{"".join(each)}</section>'


def _importances(report: TuningReport) -> str:
    completed = sum(result.score is not None for result in report.results)
    if not report.importances:
        return _section("Importance", f"{completed} completed trials are too few for importances; run more.", "")
    caution = (
        f" With {completed} completed trials they are uncertain; run {RELIABLE_TRIALS} or more."
        if completed < RELIABLE_TRIALS
        else ""
    )
    words = (
        f"The share of the score's variance among completed trials that each setting explains alone (fANOVA).{caution}"
    )
    drawn = bars([(name, report.importances[name]) for name in _by_importance(report)], "Importance of each setting")
    return _section("Importance", words, f'<div class="plot">{drawn}</div>')


def _course(report: TuningReport) -> str:
    plot = Plot(Axis(1, max(len(report.results), 2)), _scores(report), WIDTH, 220)
    parts: list[str] = []
    best: list[tuple[int, float]] = []
    for result in report.results:
        if result.score is None:
            parts.append(plot.tick(result.number, f"trial {result.number}: stopped early"))
            continue
        best.append((result.number, max([result.score, *(score for _, score in best[-1:])])))
        parts.append(plot.point(result.number, result.score, _kind(report, result), _tooltip(result)))
    drawn = plot.render("Scores of all trials", [plot.steps(best), *parts])
    words = (
        "The score of each trial. The line is the best score so far. Marks at the bottom are trials that were stopped early. "
        "Grey: defaults, amber: best."
    )
    return _section("Trials", words, f'<div class="plot">{drawn}</div>')


def _table(report: TuningReport) -> str:
    defaults, best = Hyperparameters().as_dict(), report.best.settings.as_dict()
    rows = []
    for name in _by_importance(report):
        share = f"{report.importances[name]:.0%}" if report.importances else "–"
        cells = (f"{defaults[name]:.4g}", f"{best[name]:.4g}", str(RANGES[name]), share)
        rows.append(f"<tr><th>{name}</th>{_numbers('td', cells)}</tr>")
    heads = f"<tr><th>setting</th>{_numbers('th', ('default', 'best', 'range', 'importance'))}</tr>"
    table = f"<table><thead>{heads}</thead><tbody>{''.join(rows)}</tbody></table>"
    return _section(
        "Settings", "The settings of the best trial, and the defaults.", f'<div class="scroll">{table}</div>'
    )


def _numbers(tag: str, cells: Iterable[str]) -> str:
    return "".join(f'<{tag} class="number">{cell}</{tag}>' for cell in cells)


def _single(report: TuningReport) -> str:
    plots = []
    for name in _by_importance(report):
        bounds = RANGES[name]
        plot = Plot(Axis(bounds.low, bounds.high, bounds.log), _scores(report), 300, 170)
        dots = [
            plot.point(tried.settings.as_dict()[name], tried.score, _kind(report, tried), _tooltip(tried))
            # The default and the best trial are last, so that they are on top.
            for tried in sorted(report.results, key=lambda tried: _kind(report, tried) != "trial")
            if tried.score is not None
        ]
        title = f'<text class="name" x="56" y="22">{name}</text>'
        plots.append(f'<div class="plot">{plot.render(f"Score by {name}", [title, *dots])}</div>')
    words = "Score of the completed trials over each setting. If the points show no slope, the setting has little influence."
    return _section("Score by setting", words, f'<div class="plots">{"".join(plots)}</div>')


def _section(title: str, words: str, content: str) -> str:
    return f"<section><h2>{title}</h2><p>{words}</p>{content}</section>"


def _by_importance(report: TuningReport) -> list[str]:
    return sorted(RANGES, key=lambda name: -report.importances.get(name, 0.0))


def _scores(report: TuningReport) -> Axis:
    scores = [result.score for result in report.results if result.score is not None]
    return Axis(min(scores), max(scores))


def _kind(report: TuningReport, result: TrialResult) -> str:
    if result.number == report.best.number:
        return "best"
    return "default" if result.number == 1 else "trial"


def _tooltip(result: TrialResult) -> str:
    return f"trial {result.number}: {_score(result)}"


def _score(result: TrialResult) -> str:
    return "–" if result.score is None else f"{result.score:.3f}"
