"""The classifier of windows: by itself, in scikit-learn, and under the checks of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator
from tests.synthetic import minutes, random_model

import faultprint as fp
from faultprint.embedding.model import Model
from faultprint.pretrained import MODEL

WINDOW = 60
FAULTS = ("register-timeouts", "invite-errors")


EXCLUDED = {
    "check_classifiers_one_label": "fits 3 columns; one class alone is fitted in a test below",
    "check_classifiers_regression_target": "fits few columns, whose shape is refused before the labels are looked at",
    "check_estimators_unfitted": "wants an error of scikit-learn, which this classifier does not need",
    "check_positive_only_tag_during_fit": "fits few columns, and hides the message that refuses them",
}
"""Checks that fail with another message than that of a wrong shape, and why."""
APPLICABLE = {
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
}


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model()


@pytest.fixture(scope="module")
def windows() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(24, 60, 132) windows of three conditions, and their labels."""
    X, y = [], []
    for condition in ("normal", *FAULTS):
        for seed in range(8):
            faults = [] if condition == "normal" else [(0, WINDOW, condition)]
            frame = minutes("north-1", WINDOW, faults, seed=seed)
            X.append(frame.select(fp.SIP_CATALOGUE.names).to_numpy())
            y.append(condition)
    return np.array(X), np.array(y)


def test_one_example_of_each_condition_is_enough(windows: Any, model: Model) -> None:
    X, y = windows
    classifier = fp.FaultClassifier(model).fit(X[::8], y[::8])
    assert classifier.classes_.tolist() == sorted({*y})
    assert (classifier.predict(X[::8]) == y[::8]).all()
    # The encoder is not trained, and chance would be right in a third.
    assert classifier.score(X, y) == np.mean(classifier.predict(X) == y) > 0.6
    probability = classifier.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert (classifier.classes_[probability.argmax(axis=1)] == classifier.predict(X)).all()
    assert classifier.transform(X).shape == (24, model.dimensions)


def test_normal_windows_are_the_origin(windows: Any, model: Model) -> None:
    X, y = windows
    classifier = fp.FaultClassifier(model).fit(X, y)
    np.testing.assert_allclose(classifier.transform(X[y == "normal"]).mean(axis=0), 0, atol=1e-5)
    normal = classifier.classes_.tolist().index("normal")
    assert not classifier.references_[normal].any()
    mean = classifier.transform(X[y == "invite-errors"]).mean(axis=0)
    np.testing.assert_allclose(classifier.references_[0], mean, atol=1e-5)


def test_a_window_has_the_same_vector_alone_and_among_others(windows: Any, model: Model) -> None:
    X, y = windows
    classifier = fp.FaultClassifier(model).fit(X, y)
    together = classifier.transform(X)
    for row in (0, 13, 23):
        np.testing.assert_allclose(classifier.transform(X[row : row + 1])[0], together[row], atol=1e-5)
    np.testing.assert_array_equal(classifier.transform(X.reshape(len(X), -1)), together)


def test_the_vectors_are_those_of_the_monitor(windows: Any, model: Model) -> None:
    X, y = windows
    frame = minutes("north-1", WINDOW, seed=3)
    population = fp.embed(frame, model, baseline=fp.Baseline.population())["vector"].to_numpy()[-1]
    without_normal = fp.FaultClassifier(model).fit(X[y != "normal"], y[y != "normal"])
    np.testing.assert_allclose(without_normal.transform(X[3:4])[0], population, atol=1e-5)


@pytest.mark.parametrize(("normal", "codes"), [(0, [0, 1, 2]), (-1, [-1, 5, 7]), ("ok", ["ok", "a", "z"])])
def test_labels_may_be_of_any_type(normal: Any, codes: list[Any], windows: Any, model: Model) -> None:
    X, y = windows
    code_of = dict(zip(("normal", *FAULTS), codes, strict=True))
    other = np.array([code_of[label] for label in y.tolist()])
    wanted = [code_of[label] for label in fp.FaultClassifier(model).fit(X, y).predict(X).tolist()]
    classifier = fp.FaultClassifier(model, normal=normal).fit(X, other)
    assert classifier.predict(X).tolist() == wanted
    assert classifier.predict(X).dtype == other.dtype


def test_it_works_in_scikit_learn(windows: Any, model: Model) -> None:
    X, y = windows
    classifier = fp.FaultClassifier(model)
    assert is_classifier(classifier)
    assert clone(classifier).model is model
    assert cross_val_score(classifier, X.reshape(len(X), -1), y, cv=2).min() > 0.6
    pipeline = make_pipeline(fp.FaultClassifier(model), KNeighborsClassifier(1)).fit(X, y)
    assert (pipeline.predict(X) == y).all()
    search = GridSearchCV(classifier, {"sharpness": [0.5, 2.0]}, cv=2, scoring="neg_log_loss").fit(X, y)
    assert set(search.best_params_) == {"sharpness"} and np.isfinite(search.best_score_)


def _changed(X: Any, value: float, rows: Any = slice(None)) -> Any:
    changed = X.copy()
    changed[0, rows] = value
    return changed


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda X, y: (X[:, :30], y), r"X has shape \(24, 30, 132\)"),
        (lambda X, y: (X[0], y), r"X has shape \(60, 132\)"),
        (lambda X, y: (3, y), r"X has shape \(\)"),
        (lambda X, y: ("windows", y), "X is no array of numbers"),
        (lambda X, y: (X + 1j, y), "X is no array of numbers"),
        (lambda X, y: (csr_array(X.reshape(24, -1)), y), "X is sparse, which is not supported"),
        (lambda X, y: (X[:0], y[:0]), "X holds 0 windows"),
        (lambda X, y: (_changed(X, np.inf), y), "infinite"),
        (lambda X, y: (_changed(X, np.nan, slice(0, 13)), y), "Window 0 of X has 47 observed minutes"),
        (lambda X, y: (_changed(X, np.nan, -1), y), "Window 0 of X has 59 observed minutes"),
        (lambda X, y: (X, y[:5]), r"y has shape \(5,\)"),
        (lambda X, y: (X, None), "the target y is None"),
        (lambda X, y: (X, np.full(24, np.nan)), "y holds nan"),
        (lambda X, y: (X, np.array([1, "a"] * 12, object)), "several types"),
    ],
)
def test_wrong_windows_are_one_sentence(change: Any, sentence: str, windows: Any, model: Model) -> None:
    with pytest.raises(fp.UsageError, match=sentence) as caught:
        fp.FaultClassifier(model).fit(*change(*windows))
    assert isinstance(caught.value, ValueError)


def test_wrong_parameters_are_one_sentence(windows: Any, model: Model) -> None:
    with pytest.raises(fp.UsageError, match="not fitted; call fit"):
        fp.FaultClassifier(model).predict(windows[0])
    with pytest.raises(fp.UsageError, match="sharpness is -1"):
        fp.FaultClassifier(model, sharpness=-1).fit(*windows)
    with pytest.raises(fp.UsageError, match="has no parameter 'depth'"):
        fp.FaultClassifier(model).set_params(depth=3)
    assert (
        repr(fp.FaultClassifier("m.faultprint", sharpness=2.0))
        == "FaultClassifier(model='m.faultprint', sharpness=2.0)"
    )


def test_a_window_may_lack_minutes_and_values(windows: Any, model: Model) -> None:
    X, y = windows
    classifier = fp.FaultClassifier(model).fit(X, y)
    sparse = X.copy()
    sparse[:, :10], sparse[:, :, 5] = np.nan, np.nan
    assert np.isfinite(classifier.predict_proba(sparse)).all()


def test_one_class_alone_is_always_predicted(windows: Any, model: Model) -> None:
    X, y = windows
    classifier = fp.FaultClassifier(model).fit(X[:8], y[:8])
    assert set(classifier.predict(X)) == {"normal"}
    assert (classifier.predict_proba(X) == 1).all()


def test_the_checks_of_scikit_learn_that_apply() -> None:
    results = check_estimator(fp.FaultClassifier(MODEL), on_skip=None, on_fail=None)
    failed = {str(r["check_name"]): str(r["exception"]) for r in results if r["status"] == "failed"}
    # Most checks fit arrays of a few columns, which are no windows of 60 minutes with 132 features.
    others = {name: text for name, text in failed.items() if "but must hold windows of 60 minutes" not in text}
    assert {name: text for name, text in others.items() if name not in EXCLUDED} == {}
    assert APPLICABLE - {str(r["check_name"]) for r in results if r["status"] == "passed"} == set()
