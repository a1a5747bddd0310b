"""A classifier of windows with the methods of scikit-learn, which it does not need.

It learns as the case library does: a trained encoder makes a vector of each window, and the mean vector of a class is its
reference. So one example of a fault is enough, and `fit` takes no longer than `transform`.
"""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultprint.api import File, load_model
from faultprint.arguments import ratio_argument
from faultprint.arrays import Float32Array, Float64Array
from faultprint.cases.matching import Matcher, Matches
from faultprint.cases.probability import probabilities
from faultprint.cases.thresholds import min_norm
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.estimators.window_array import InputError, as_labels, as_windows, window_vectors, windows_baseline
from faultprint.tables import NORMAL


class NotFittedError(UsageError, ValueError, AttributeError):
    """A classifier that was asked before `fit`."""


class FaultClassifier:
    """Classifies windows of minutes by the nearest mean vector, with the methods of a classifier of scikit-learn.

    X has the shape (n, W, F) or (n, W * F): n windows of W minutes with the F features of the model's catalogue, minute
    after minute; the model in the box has W = 60 and F = 132. NaN is a missing value. y has one label a window.

    model      an object or a path; default: the one that `load_model` chooses
    normal     the label of normal windows: they give the profile and the origin that vectors are measured from. Without such
               windows in y the model's own normal traffic of many nodes is the origin
    sharpness  how fast probabilities fall with the squared distance, as calibration sets it

    After `fit`: classes_ (the labels, sorted), references_ (their vectors, in this order), n_features_in_.
    Wrong windows, labels and parameters raise UsageError, which here is also a ValueError.

    >>> import faultprint as fp
    >>> classifier = fp.FaultClassifier(sharpness=2.0)
    >>> classifier.get_params()
    {'model': None, 'normal': 'normal', 'sharpness': 2.0}
    >>> classifier.fit(X, y).predict(later)          # doctest: +SKIP
    array(['hss-link-down'], dtype='<U13')
    """

    def __init__(self, model: Model | File | None = None, normal: Any = NORMAL, sharpness: float = 1.0) -> None:
        self.model = model
        self.normal = normal
        self.sharpness = sharpness

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Take the mean vector of each class as its reference. Raises UsageError or ModelError."""
        sharpness = ratio_argument(self.sharpness, "sharpness")
        model = self.model if isinstance(self.model, Model) else load_model(self.model)
        windows = as_windows(X, model)
        labels = as_labels(y, len(windows))
        if not len(windows):
            raise InputError("X holds 0 windows, but one of each class is needed; pass some.")
        try:
            classes, codes = np.unique(labels, return_inverse=True)
        except TypeError:
            raise InputError("y holds labels of several types, which have no order; pass texts only.") from None
        is_normal = np.array([label == self.normal for label in classes.tolist()], np.bool_)
        normal = is_normal[codes]
        baseline = windows_baseline(windows[normal], model) if normal.any() else model.population_baseline
        vectors = window_vectors(windows, model, baseline)
        means = [vectors[codes == code].mean(axis=0, dtype=np.float64) for code in range(len(classes))]
        means = [np.zeros_like(mean) if zero else mean for mean, zero in zip(means, is_normal, strict=True)]
        self.model_, self.baseline_, self.sharpness_ = model, baseline, sharpness
        self.classes_: NDArray[Any] = classes
        self.references_: Float32Array = np.array(means, np.float32)
        self.n_features_in_ = int(np.prod(np.shape(X)[1:]))
        names = [NORMAL if zero else f"{code:09d}" for code, zero in enumerate(is_normal)]
        self._matcher = Matcher(self.references_, names, min_norm(model))
        self._columns = np.array([self._matcher.conditions.index(name) for name in names])
        return self

    def transform(self, X: ArrayLike) -> Float32Array:
        """(n, D) the vectors of the windows, measured from normal traffic. Raises UsageError."""
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(f"This {type(self).__name__} is not fitted; call fit with windows and labels first.")
        return window_vectors(as_windows(X, self.model_), self.model_, self.baseline_)

    def predict_proba(self, X: ArrayLike) -> Float64Array:
        """(n, C) the probability of each of `classes_`, as in the verdicts. Raises UsageError."""
        vectors = self.transform(X)
        matches = self._matcher.match(vectors)
        distances = matches.distances[:, self._columns]
        nearest = np.argmin(distances, axis=1)
        chosen = Matches(
            tuple(map(str, self.classes_.tolist())),
            distances,
            nearest,
            np.full(len(nearest), -1),
            matches.uncertainty,
            matches.scale,
        )
        return probabilities(chosen, self.sharpness_)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """(n,) the label of the nearest reference of each window. Raises UsageError."""
        codes = np.argmax(self.predict_proba(X), axis=1)
        found: NDArray[Any] = self.classes_[codes]
        return found

    def fit_transform(self, X: ArrayLike, y: ArrayLike) -> Float32Array:
        """`fit`, then `transform` of the same windows."""
        return self.fit(X, y).transform(X)

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """The share of windows whose label is predicted."""
        predicted = self.predict(X)
        return float(np.mean(predicted == as_labels(y, len(predicted))))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters of the constructor, by name."""
        return {name: getattr(self, name) for name in _parameters(type(self))}

    def set_params(self, **params: Any) -> Self:
        """Change parameters; `fit` then uses them. Raises UsageError for a name that the constructor does not have."""
        for name, value in params.items():
            if name not in _parameters(type(self)):
                known = ", ".join(_parameters(type(self)))
                raise InputError(f"{type(self).__name__} has no parameter {name!r}; choose one of {known}.")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = _parameters(type(self))
        changed = {
            name: value
            for name, value in self.get_params().items()
            if not (value is defaults[name] or (type(value) is type(defaults[name]) and value == defaults[name]))
        }
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in changed.items())})"

    def __sklearn_clone__(self) -> Self:
        """An unfitted copy that shares the model, which never changes."""
        return type(self)(**self.get_params())

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "references_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(three_d_array=True, allow_nan=True),
        )


def _parameters(kind: type) -> dict[str, Any]:
    """The parameters of the class and their defaults."""
    signature = inspect.signature(kind)
    return {name: parameter.default for name, parameter in signature.parameters.items()}
