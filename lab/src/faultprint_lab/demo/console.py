"""The demo's figures on a terminal, with what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from faultprint.evaluation.episodes import Episode
from faultprint.reports.html import WORDS
from faultprint_lab.baselines.compare import SystemResult

_ROWS = (
    ("macro_f1_exposed", "macro-F1, clear windows", "{:.2f}"),
    ("macro_f1", "macro-F1, all windows", "{:.2f}"),
    ("false_alarms_per_day", "false alarms a day", "{:.1f}"),
    ("episodes_found", "episodes named right", "{:.0%}"),
    ("delay_median_minutes", "delay, median (min)", "{:.1f}"),
    ("delay_p90_minutes", "delay, nine of ten (min)", "{:.1f}"),
    ("clearing_median_minutes", "time to clear (min)", "{:.0f}"),
)


def episode_table(episodes: Sequence[Episode]) -> Iterator[str]:
    """One line an episode: what happened where, what was said, how soon."""
    words = [word for episode in episodes for word in (episode.condition, episode.said or "")]
    width = max([len(word) for word in words] + [7])
    node = max([len(episode.node) for episode in episodes] + [4])
    head = f"{'node':{node}}  {'truth':{width}}  {'onset (UTC)':16}  {'lasted':>8}  {'severity':>8}"
    yield f"{head}  {'verdict':{width}}  {'after':>8}  right?"
    for episode in episodes:
        lasted = (episode.end - episode.start).total_seconds() / 60
        severity = "–" if episode.severity is None else f"{episode.severity:.2f}"
        verdict = episode.condition if episode.found else (episode.said or "normal")
        delay = "–" if episode.delay is None else f"{episode.delay:.1f} min"
        happened = f"{episode.node:{node}}  {episode.condition:{width}}  {episode.start:%Y-%m-%d %H:%M}"
        told = f"{verdict:{width}}  {delay:>8}  {'yes' if episode.found else 'no'}"
        yield f"{happened}  {lasted:4.0f} min  {severity:>8}  {told}"


def figure_table(outcomes: Sequence[SystemResult]) -> Iterator[str]:
    """One line a figure, one column a system, and the figure in plain words."""
    yield f"{'':26}" + "".join(f"{outcome.name:>10}" for outcome in outcomes)
    for key, label, form in _ROWS:
        values = [getattr(outcome.figures, key) for outcome in outcomes]
        shown = "".join(f"{'–' if value is None else form.format(value):>10}" for value in values)
        yield f"{label:26}{shown}   {WORDS[key]}"
