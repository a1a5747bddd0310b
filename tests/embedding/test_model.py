"""Vectors: equal to torch's, equal to recomputing each window, and honest about gaps and short histories."""

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
from faultprint.embedding.model_file import ModelArtifact, save
from faultprint.embedding.pooling import pool
from faultprint.errors import ModelError, UsageError
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.training.networks.reference_lstm import ReferenceLstm
from faultprint.windows.levels import levels
from faultprint.windows.normalise import normalise, raw
from faultprint.windows.series import Series

Traffic = Callable[..., Series]


def torch_vectors(network: PooledNetwork, model: Model, series: Series, ends: list[int]) -> Float32Array:
    """Torch's vectors of windows with the whole series as history, every window pooled by itself."""
    own, people = model.profile(series), model.manifest.population
    assert people is not None
    with torch.no_grad():
        inputs = torch.from_numpy(normalise(levels(series, model.kinds), model.kinds, own, people))
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
    found = model.embed(series, model.profile(series), ends=np.array(ends))
    assert found.last_minute.tolist() == ends
    assert np.abs(found.vectors - torch_vectors(pooled_network, model, series, ends)).max() < 1e-5


def test_posts_equals_torch(traffic: Traffic, posts_network: ReferenceLstm, posts: ModelArtifact) -> None:
    model, series = Model(posts), traffic(80)
    found = model.embed(series, model.profile(series), ends=np.array([59, 70]))
    windows = np.stack([raw(series.values)[end - 59 : end + 1] for end in (59, 70)])
    with torch.no_grad():
        expected = posts_network(torch.from_numpy(windows)).numpy()
    assert np.abs(found.vectors - expected).max() < 1e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("preset", ["pooled", "posts"])
def test_without_torch(traffic: Traffic, preset: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The same vectors in a process in which torch cannot be imported."""
    artefact: ModelArtifact = request.getfixturevalue(preset)
    save(artefact, tmp_path / "model")
    series = traffic(90)
    if preset == "pooled":
        expected = torch_vectors(request.getfixturevalue("pooled_network"), Model(artefact), series, [59, 89])
    else:
        with torch.no_grad():
            windows = np.stack([raw(series.values)[end - 59 : end + 1] for end in (59, 89)])
            expected = request.getfixturevalue("posts_network")(torch.from_numpy(windows)).numpy()
    np.savez(tmp_path / "case.npz", values=series.values, observed=series.observed, expected=expected)
    script = """
        import sys
        sys.modules["torch"] = None
        import numpy as np
        from pathlib import Path
        from faultprint.embedding.model import load_model
        from faultprint.windows.series import (Series,)
        from faultprint.units import MINUTE_US
        model = load_model(Path(sys.argv[1]) / "model")
        case = np.load(Path(sys.argv[1]) / "case.npz")
        series = Series("n1", "net", 0, MINUTE_US, model.catalogue.names, case["values"], case["observed"])
        found = model.embed(series, model.profile(series), ends=np.array([59, 89])).vectors
        difference = np.abs(found - case["expected"]).max() / max(1, np.abs(case["expected"]).max())
        assert difference < 1e-5, difference
        assert not [name for name in sys.modules if name.startswith(("torch.", "onnx."))]
        print("same")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "same", done.stderr


@pytest.mark.parametrize("gap", [None, slice(100, 108)])
def test_cached_codes_equal_every_window_by_itself(traffic: Traffic, pooled: ModelArtifact, gap: slice | None) -> None:
    """Nothing before a window touches its vector: cut out alone, it gives the same."""
    model, series = Model(pooled), traffic(200, gap=gap)
    own = model.profile(series)
    whole = model.embed(series, own)
    for i in range(0, len(whole), 7):
        end = int(whole.last_minute[i])
        if end >= 59:
            alone = model.embed(series.part(end - 59, end + 1), own, ends=np.array([59]))
            assert np.abs(alone.vectors[0] - whole.vectors[i]).max() < 1e-5


def test_blocks_give_the_same_vectors(traffic: Traffic, pooled: ModelArtifact, monkeypatch: pytest.MonkeyPatch) -> None:
    model, series = Model(pooled), traffic(300, gap=slice(150, 170))
    own = model.profile(series)
    whole = model.embed(series, own)
    monkeypatch.setattr(model_module, "_BLOCK", 37)
    parts = model.embed(series, own)
    assert np.array_equal(parts.last_minute, whole.last_minute)
    assert np.abs(parts.vectors - whole.vectors).max() < 1e-6


def test_short_histories_and_gaps_are_marked(traffic: Traffic, pooled: ModelArtifact) -> None:
    model, series = Model(pooled), traffic(150, gap=slice(60, 80))
    own = model.profile(series)
    whole = model.embed(series, own)
    assert whole.last_minute.tolist() == [*range(47, 60), *range(127, 150)]
    assert not whole.partial.any()
    every = model.embed(series, own, shortest=1)
    assert every.last_minute.tolist() == [*range(9, 60), *range(80, 150)]
    assert every.minutes[0] == 10
    assert np.array_equal(every.partial, every.minutes < 48)
    chosen = np.isin(every.last_minute, whole.last_minute)
    assert np.array_equal(every.vectors[chosen], whole.vectors)


def test_a_recurrent_model_takes_short_histories_too(traffic: Traffic, posts: ModelArtifact) -> None:
    model, series = Model(posts), traffic(62)
    found = model.embed(series, model.profile(series), shortest=10)
    assert found.last_minute.tolist() == list(range(9, 62))
    assert np.isfinite(found.vectors).all()


def test_an_hour_yields_a_normal_mean(traffic: Traffic, pooled: ModelArtifact) -> None:
    model, hour = Model(pooled), traffic(60)
    normal = model.baseline(hour)
    assert normal.profile.minutes == 60
    vectors = model.embed(hour, normal.profile, shortest=30).vectors
    assert len(vectors) == 31
    assert np.allclose(normal.mean, vectors.mean(axis=0), atol=1e-6)
    assert np.isfinite(model.baseline(hour.part(0, 30)).mean).all()


def test_normal_windows_never_hold_a_minute_that_is_not(traffic: Traffic, pooled: ModelArtifact) -> None:
    model, series = Model(pooled), traffic(200)
    chosen = np.ones(200, dtype=np.bool_)
    chosen[90:100] = False
    before = model.baseline(series, chosen)
    series.values[90:100] = 1e6
    after = model.baseline(series, chosen)
    assert np.array_equal(before.mean, after.mean)


def test_what_cannot_be_embedded(traffic: Traffic, pooled: ModelArtifact) -> None:
    model, series = Model(pooled), traffic(100)
    own = model.profile(series)
    with pytest.raises(ModelError, match="do not follow catalogue 'sip'"):
        model.embed(replace(series, names=series.names[::-1]), own)
    with pytest.raises(ModelError, match="last 1000000 µs, the model's 60000000 µs"):
        model.embed(replace(series, interval_us=1_000_000), own)
    with pytest.raises(UsageError, match="must end within the 100 minutes"):
        model.embed(series, own, ends=np.array([100]))
    with pytest.raises(UsageError, match="too few for a profile"):
        model.profile(series, np.arange(100) < 10)
    assert len(model.embed(series.part(0, 20), own)) == 0
    scattered = np.arange(100) % 5 > 0
    with pytest.raises(UsageError, match="No stretch"):
        model.baseline(series, scattered)


def test_loaded_from_its_file(pooled: ModelArtifact, saved: Path) -> None:
    model = load_model(saved)
    assert (model.id, model.dimensions, model.window, len(model.catalogue)) == (pooled.id, 32, 60, 132)


def test_pooling_equals_a_loop() -> None:
    rng = np.random.default_rng(1)
    codes = rng.normal(size=(50, 2, 3)).astype(np.float32)
    observed = rng.random(50) > 0.3
    found = pool(codes, observed, (1, 5), 12).reshape(50, 3, 2, 3)
    for end in range(50):
        for i, span in enumerate((1, 5)):
            first = max(end - (12 - span), 0)
            here = codes[first : end + 1, i][observed[first : end + 1]]
            peak, mean = (here.max(axis=0), here.mean(axis=0)) if len(here) else (np.zeros(3), np.zeros(3))
            assert np.allclose(found[end, 0, i], peak, atol=1e-6)
            assert np.allclose(found[end, 1, i], mean, atol=1e-6)
            assert np.array_equal(found[end, 2, i], codes[end, i])
