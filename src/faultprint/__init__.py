"""Faultprint names the faults of a telecom node from its SIP and Diameter traffic.

The names in `__all__` are the public API; docs/reference/api.md describes them. Each is imported when it is first used, so
that `import faultprint` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from faultprint.version import __version__

if TYPE_CHECKING:
    from faultprint.api import SuspectBaselineWarning as SuspectBaselineWarning
    from faultprint.api import build_minutes as build_minutes
    from faultprint.api import calibrate as calibrate
    from faultprint.api import enrol as enrol
    from faultprint.api import evaluate as evaluate
    from faultprint.api import identify as identify
    from faultprint.api import load_model as load_model
    from faultprint.api import open_library as open_library
    from faultprint.api import probe_captures as probe_captures
    from faultprint.api import read_labels as read_labels
    from faultprint.api import read_minutes as read_minutes
    from faultprint.api import train as train
    from faultprint.cases.baseline import Baseline as Baseline
    from faultprint.cases.library import Library as Library
    from faultprint.cases.reference import Reference as Reference
    from faultprint.embedding.model import Model as Model
    from faultprint.errors import CaptureError as CaptureError
    from faultprint.errors import FaultprintError as FaultprintError
    from faultprint.errors import LabelError as LabelError
    from faultprint.errors import LibraryError as LibraryError
    from faultprint.errors import ModelError as ModelError
    from faultprint.errors import StateError as StateError
    from faultprint.errors import TableError as TableError
    from faultprint.errors import UsageError as UsageError
    from faultprint.estimators.classifier import FaultClassifier as FaultClassifier
    from faultprint.estimators.online import OnlineClassifier as OnlineClassifier
    from faultprint.exploration import diagnose as diagnose
    from faultprint.exploration import embed as embed
    from faultprint.exploration import export_projector as export_projector
    from faultprint.features.catalogue import SIP_CATALOGUE as SIP_CATALOGUE
    from faultprint.features.catalogue import Catalogue as Catalogue
    from faultprint.monitor.detect.stream import Stream as Stream
    from faultprint.training.config import TrainingConfig as TrainingConfig


_MODULES: Final = {
    "api": (
        "SuspectBaselineWarning",
        "build_minutes",
        "calibrate",
        "enrol",
        "evaluate",
        "identify",
        "load_model",
        "open_library",
        "probe_captures",
        "read_labels",
        "read_minutes",
        "train",
    ),
    "cases.baseline": ("Baseline",),
    "cases.library": ("Library",),
    "cases.reference": ("Reference",),
    "embedding.model": ("Model",),
    "errors": (
        "CaptureError",
        "FaultprintError",
        "LabelError",
        "LibraryError",
        "ModelError",
        "StateError",
        "TableError",
        "UsageError",
    ),
    "estimators.classifier": ("FaultClassifier",),
    "estimators.online": ("OnlineClassifier",),
    "exploration": ("diagnose", "embed", "export_projector"),
    "features.catalogue": ("SIP_CATALOGUE", "Catalogue"),
    "monitor.detect.stream": ("Stream",),
    "training.config": ("TrainingConfig",),
}
_MODULE_OF: Final = {name: f"faultprint.{module}" for module, names in _MODULES.items() for name in names}

__all__ = [
    "SIP_CATALOGUE",
    "Baseline",
    "CaptureError",
    "Catalogue",
    "FaultClassifier",
    "FaultprintError",
    "LabelError",
    "Library",
    "LibraryError",
    "Model",
    "ModelError",
    "OnlineClassifier",
    "Reference",
    "StateError",
    "Stream",
    "SuspectBaselineWarning",
    "TableError",
    "TrainingConfig",
    "UsageError",
    "__version__",
    "build_minutes",
    "calibrate",
    "diagnose",
    "embed",
    "enrol",
    "evaluate",
    "export_projector",
    "identify",
    "load_model",
    "open_library",
    "probe_captures",
    "read_labels",
    "read_minutes",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'faultprint' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
