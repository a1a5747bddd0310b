"""Fault templates: the effect of a fault without the levels of its node."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.training.augment import template
from faultprint.training.augment.template import extract_template, rare_faults
from faultprint.training.data.dataset import TrainingSet

Tables = tuple[pl.DataFrame, pl.DataFrame]
START = datetime(2026, 1, 5, tzinfo=UTC)
ERRORS, SLOW = (140, 170), (260, 290)
"""The first minutes of the first faults of every node, and those after their last (conftest)."""


def departure(found: template.FaultTemplate, feature: str) -> float:
    """Mean over the fault."""
    return float(np.nanmean(found.deviation[:, SIP_CATALOGUE.index(feature)]))


def test_a_template_is_the_effect_of_the_fault(small: TrainingSet) -> None:
    node = small.nodes[0]
    normal = np.zeros(len(node.series), np.bool_)
    normal[:60] = True
    errors = extract_template(node.series, normal, *ERRORS, "errors", small.kinds)
    slow = extract_template(node.series, normal, *SLOW, "slow", small.kinds)
    assert errors.deviation.shape == (ERRORS[1] - ERRORS[0], len(SIP_CATALOGUE)) == errors.level.shape
    assert departure(errors, "in.bye.server_error_share") == pytest.approx(0.48, abs=0.06)
    assert departure(errors, "in.bye.delay_median") == pytest.approx(0, abs=0.1)
    # The mean minutes at either end reach beyond the fault.
    assert departure(slow, "in.bye.delay_median") == pytest.approx(np.log(6), abs=0.2)
    assert departure(slow, "in.bye.server_error_share") == pytest.approx(0, abs=0.03)


def test_templates_at_the_end_of_the_series_and_long_ones(small: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    series = small.nodes[0].series
    normal = np.zeros(len(series), np.bool_)
    normal[:60] = True
    last = extract_template(series, normal, len(series) - 3, len(series), "errors", small.kinds)
    assert len(last.level) == 3
    monkeypatch.setattr(template, "_MAX_TEMPLATE_MINUTES", 10)
    assert len(extract_template(series, normal, *ERRORS, "errors", small.kinds).level) == 10


def test_features_without_values_have_no_deviation(small: TrainingSet) -> None:
    one = small.nodes[0].series
    silent, mute = SIP_CATALOGUE.index("in.bye.success_share"), SIP_CATALOGUE.index("in.bye.delay_median")
    values = one.values.copy()
    values[:60, [silent, mute]] = np.nan
    values[ERRORS[0] - 5 : ERRORS[1] + 5, SIP_CATALOGUE.index("out.invite.delay_median")] = np.nan
    normal = np.zeros(len(one), np.bool_)
    normal[:60] = True
    changed = type(one)(one.node, one.network, one.first_us, one.interval_us, one.names, values, one.observed)
    found = extract_template(changed, normal, *ERRORS, "errors", small.kinds)
    # A share that was never asked for is taken to have been 0; of a duration nothing is known.
    assert departure(found, "in.bye.success_share") == pytest.approx(0.5, abs=0.1)
    assert np.isnan(found.deviation[:, mute]).all()
    assert np.isfinite(found.level[:, mute]).all()
    assert np.isnan(found.level[:, SIP_CATALOGUE.index("out.invite.delay_median")]).all()


def test_which_faults_are_rare(small: TrainingSet, tables: Tables) -> None:
    labels = tables[1]
    assert rare_faults(small, labels, 4) == []
    assert {one.condition for one in rare_faults(small, labels, 5)} == {"slow"}
    assert len(rare_faults(small, labels, 10)) == 15
    moment = START + timedelta(minutes=SLOW[0])
    once = labels.filter((pl.col("condition") != "slow") | ((pl.col("node") == "pcscf2") & (pl.col("start") == moment)))
    (only,) = rare_faults(small, once, 1)
    assert departure(only, "in.bye.delay_median") == pytest.approx(np.log(6), abs=0.2)


def test_an_example_before_any_normal_hour(small: TrainingSet, tables: Tables) -> None:
    early = pl.DataFrame(
        [("pcscf0", START, START + timedelta(minutes=20), "early", None)], schema=tables[1].schema, orient="row"
    )
    first = START + timedelta(minutes=20)
    labels = tables[1].with_columns(
        pl.when((pl.col("node") == "pcscf0") & (pl.col("start") == START)).then(first).otherwise("start").alias("start")
    )
    labels = labels.with_columns(pl.col("start").cast(tables[1].schema["start"]))
    every = TrainingSet(small.catalogue, small.kinds, small.window, ("normal", "early", "errors", "slow"), small.nodes)
    (only,) = rare_faults(every, pl.concat([labels, early]), 1)
    assert only.condition == "early"
    assert len(only.level) == 20
