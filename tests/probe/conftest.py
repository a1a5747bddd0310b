"""Lets the tests of this folder share `golden`, which builds captures."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# How long an example takes says more of the machine's other work than of the probe; benchmarks measure that.
settings.register_profile("probe", deadline=None)
settings.load_profile("probe")
