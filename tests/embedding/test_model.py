"""Vectors equal those of torch and of each window alone; gaps and short histories are marked."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faultprint.arrays import Float32Array
from faultprint.embedding import model as model_module
from faultprint.embedding.model import Model, load_model
from faultprint.embedding.model_file import ModelArtifact, write_artifact
from faultprint.embedding.pooling import pool
from faultprint.errors import ModelError, UsageError
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.training.networks.reference_lstm import ReferenceLstm
from faultprint.windows.levels import compute_levels
from faultprint.windows.normalisation import fill_missing, normalise
from faultprint.windows.series import Series

Traffic = Callable[..., Series]


def torch_vectors(network: PooledNetwork, model: Model, series: Series, ends: list[int]) -> Float32Array:
    """Torch's vectors of windows with the whole series as history, each window pooled separately."""
    profile, population = model.profile(series), model.manifest.population
    assert population is not None
    with torch.no_grad():
        inputs = torch.from_numpy(normalise(compute_levels(series, model.kinds), model.kinds, profile, population))
        codes = network.encode(inputs)[None]
        observed = torch.from_numpy(series.observed)[None]
        vectors: Float32Array = network.head(
            torch.cat([network.pool(codes, observed, range(end, end + 1))[0] for end in ends])
        ).numpy()
    return vectors


@pytest.mark.parametrize("gap", [None, slice(70, 75)])
def test_default_equals_torch(
    traffic: Traffic, pooled_network: PooledNetwork, pooled: ModelArtifact, gap: slice | None
) -> None:
    model, series = Model(pooled), traffic(160, gap=gap)
    ends = [59, 60, 88, 100, 159]
    result = model.embed(series, model.profile(series), ends=np.array(ends))
    assert result.last_minute.tolist() == ends
    assert np.abs(result.vectors - torch_vectors(pooled_network, model, series, ends)).max() < 1e-5


def test_recurrent_equals_torch(traffic: Traffic, recurrent_network: ReferenceLstm, recurrent: ModelArtifact) -> None:
    model, series = Model(recurrent), traffic(80)
    result = model.embed(series, model.profile(series), ends=np.array([59, 70]))
    windows = np.stack([fill_missing(series.values)[end - 59 : end + 1] for end in (59, 70)])
    with torch.no_grad():
        expected = recurrent_network(torch.from_numpy(windows)).numpy()
    assert np.abs(result.vectors - expected).max() < 1e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("preset", ["pooled", "recurrent"])
def test_the_model_runs_without_torch(
    traffic: Traffic, preset: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A process that cannot import torch gives the same vectors."""
    artifact: ModelArtifact = request.getfixturevalue(preset)
    write_artifact(artifact, tmp_path / "model")
    series = traffic(90)
    if preset == "pooled":
        expected = torch_vectors(request.getfixturevalue("pooled_network"), Model(artifact), series, [59, 89])
    else:
        with torch.no_grad():
            windows = np.stack([fill_missing(series.values)[end - 59 : end + 1] for end in (59, 89)])
            expected = request.getfixturevalue("recurrent_network")(torch.from_numpy(windows)).numpy()
    np.savez(tmp_path / "case.npz", values=series.values, observed=series.observed, expected=expected)
    script = """
        import sys
        sys.modules["torch"] = None
        import numpy as np
        from pathlib import Path
        from faultprint.embedding.model import load_model
        from faultprint.windows.series import Series
        from faultprint.units import MINUTE_US
        model = load_model(Path(sys.argv[1]) / "model")
        case = np.load(Path(sys.argv[1]) / "case.npz")
        series = Series("n1", "net", 0, MINUTE_US, model.catalogue.names, case["values"], case["observed"])
        result = model.embed(series, model.profile(series), ends=np.array([59, 89])).vectors
        difference = np.abs(result - case["expected"]).max() / max(1, np.abs(case["expected"]).max())
        assert difference < 1e-5, difference
        assert not [name for name in sys.modules if name.startswith(("torch.", "onnx."))]
        print("same")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "same", done.stderr


@pytest.mark.parametrize("gap", [None, slice(100, 108)])
def test_a_window_gives_the_same_vector_alone(traffic: Traffic, pooled: ModelArtifact, gap: slice | None) -> None:
    """Minutes before a window do not change its vector."""
    model, series = Model(pooled), traffic(200, gap=gap)
    profile = model.profile(series)
    whole = model.embed(series, profile)
    for i in range(0, len(whole), 7):
        end = int(whole.last_minute[i])
        if end >= 59:
            alone = model.embed(series.slice(end - 59, end + 1), profile, ends=np.array([59]))
            assert np.abs(alone.vectors[0] - whole.vectors[i]).max() < 1e-5


def test_blocks_give_the_same_vectors(traffic: Traffic, pooled: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    model, series = Model(pooled), traffic(300, gap=slice(150, 170))
    profile = model.profile(series)
    whole = model.embed(series, profile)
    monkeypatch.setattr(model_module, "BLOCK_MINUTES", 37)
    parts = model.embed(series, profile)
    assert np.array_equal(parts.last_minute, whole.last_minute)
    assert np.abs(parts.vectors - whole.vectors).max() < 1e-6


def test_short_histories_and_gaps_are_marked(traffic: Traffic, pooled: ModelArtifact) -> None:
    model, series = Model(pooled), traffic(150, gap=slice(60, 80))
    profile = model.profile(series)
    whole = model.embed(series, profile)
    assert whole.last_minute.tolist() == [*range(47, 60), *range(127, 150)]
    assert not whole.partial.any()
    all_windows = model.embed(series, profile, min_minutes=1)
    assert all_windows.last_minute.tolist() == [*range(9, 60), *range(80, 150)]
    assert all_windows.observed_minutes[0] == 10
    assert np.array_equal(all_windows.partial, all_windows.observed_minutes < 48)
    selected = np.isin(all_windows.last_minute, whole.last_minute)
    assert np.array_equal(all_windows.vectors[selected], whole.vectors)


def test_a_recurrent_model_takes_short_histories_too(traffic: Traffic, recurrent: ModelArtifact) -> None:
    model, series = Model(recurrent), traffic(62)
    result = model.embed(series, model.profile(series), min_minutes=10)
    assert result.last_minute.tolist() == list(range(9, 62))
    assert np.isfinite(result.vectors).all()


def test_an_hour_gives_a_baseline(traffic: Traffic, pooled: ModelArtifact) -> None:
    model, hour = Model(pooled), traffic(60)
    baseline = model.baseline(hour)
    assert baseline.profile.minutes == 60
    vectors = model.embed(hour, baseline.profile, min_minutes=30).vectors
    assert len(vectors) == 31
    assert np.allclose(baseline.mean, vectors.mean(axis=0), atol=1e-6)
    assert np.isfinite(model.baseline(hour.slice(0, 30)).mean).all()


def test_baseline_windows_contain_only_selected_minutes(traffic: Traffic, pooled: ModelArtifact) -> None:
    model, series = Model(pooled), traffic(200)
    selected = np.ones(200, dtype=np.bool_)
    selected[90:100] = False
    before = model.baseline(series, selected)
    series.values[90:100] = 1e6
    after = model.baseline(series, selected)
    assert np.array_equal(before.mean, after.mean)


def test_minutes_that_do_not_fit_are_refused(traffic: Traffic, pooled: ModelArtifact) -> None:
    model, series = Model(pooled), traffic(100)
    profile = model.profile(series)
    with pytest.raises(ModelError, match="do not follow the model's catalogue 'sip'"):
        model.embed(replace(series, names=series.names[::-1]), profile)
    with pytest.raises(ModelError, match="last 1000000 µs, the model's 60000000 µs"):
        model.embed(replace(series, interval_us=1_000_000), profile)
    with pytest.raises(UsageError, match="must end within the 100 minutes"):
        model.embed(series, profile, ends=np.array([100]))
    with pytest.raises(UsageError, match="too few for a profile"):
        model.profile(series, np.arange(100) < 10)
    assert len(model.embed(series.slice(0, 20), profile)) == 0
    scattered = np.arange(100) % 5 > 0
    with pytest.raises(UsageError, match="No interval"):
        model.baseline(series, scattered)


def test_a_model_loads_from_its_file(pooled: ModelArtifact, saved: Path) -> None:
    model = load_model(saved)
    assert (model.id, model.dimensions, model.window, len(model.catalogue)) == (pooled.id, 32, 60, 132)


def test_pooling_equals_a_loop() -> None:
    rng = np.random.default_rng(1)
    codes = rng.normal(size=(50, 2, 3)).astype(np.float32)
    observed = rng.random(50) > 0.3
    result = pool(codes, observed, (1, 5), 12).reshape(50, 3, 2, 3)
    for end in range(50):
        for i, span in enumerate((1, 5)):
            first = max(end - (12 - span), 0)
            observed_codes = codes[first : end + 1, i][observed[first : end + 1]]
            peak, mean = (
                (observed_codes.max(axis=0), observed_codes.mean(axis=0))
                if len(observed_codes)
                else (np.zeros(3), np.zeros(3))
            )
            assert np.allclose(result[end, 0, i], peak, atol=1e-6)
            assert np.allclose(result[end, 1, i], mean, atol=1e-6)
            assert np.array_equal(result[end, 2, i], codes[end, i])
