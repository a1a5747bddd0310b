"""The demo's figures on a terminal, each with its meaning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from faultprint.evaluation.episodes import Episode
from faultprint.reports.html import SHORT_EXPLANATIONS
from faultprint_lab.baselines.compare import SystemResult

_ROWS = (
    ("macro_f1_exposed", "macro-F1, clear windows", "{:.2f}"),
    ("macro_f1", "macro-F1, all windows", "{:.2f}"),
    ("false_alarms_per_day", "false alarms a day", "{:.1f}"),
    ("episodes_found", "episodes named right", "{:.0%}"),
    ("delay_median_minutes", "delay, median (min)", "{:.1f}"),
    ("delay_p90_minutes", "delay, p90 (min)", "{:.1f}"),
    ("clearing_median_minutes", "time to clear (min)", "{:.0f}"),
)


def episode_table(episodes: Sequence[Episode]) -> Iterator[str]:
    """One line for each episode: node, true fault, onset, verdict, delay."""
    names = [name for episode in episodes for name in (episode.condition, episode.main_verdict or "")]
    width = max([len(name) for name in names] + [7])
    node = max([len(episode.node) for episode in episodes] + [4])
    head = f"{'node':{node}}  {'truth':{width}}  {'onset (UTC)':16}  {'lasted':>8}  {'severity':>8}"
    yield f"{head}  {'verdict':{width}}  {'after':>8}  right?"
    for episode in episodes:
        lasted = (episode.end - episode.start).total_seconds() / 60
        severity = "–" if episode.severity is None else f"{episode.severity:.2f}"
        verdict = episode.condition if episode.found else (episode.main_verdict or "normal")
        delay = "–" if episode.delay_minutes is None else f"{episode.delay_minutes:.1f} min"
        happened = f"{episode.node:{node}}  {episode.condition:{width}}  {episode.start:%Y-%m-%d %H:%M}"
        outcome = f"{verdict:{width}}  {delay:>8}  {'yes' if episode.found else 'no'}"
        yield f"{happened}  {lasted:4.0f} min  {severity:>8}  {outcome}"


def figure_table(results: Sequence[SystemResult]) -> Iterator[str]:
    """One line for each figure, one column for each system, and the meaning of the figure."""
    widths = [max(len(result.name), 8) + 2 for result in results]
    yield f"{'':26}" + "".join(f"{result.name:>{width}}" for result, width in zip(results, widths, strict=True))
    for key, label, form in _ROWS:
        values = [getattr(result.figures, key) for result in results]
        cells = ("–" if value is None else form.format(value) for value in values)
        shown = "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        yield f"{label:26}{shown}   {SHORT_EXPLANATIONS[key]}"
