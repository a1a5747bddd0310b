"""How examples are searched for in all folders: with others each time, or, where a change is checked, with the same."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says more of the machine's other work than of what is tried; benchmarks measure that.
settings.register_profile("search", deadline=None, print_blob=True)
# A check is to say something of the change: the same change passes or fails twice.
settings.register_profile("check", settings.get_profile("search"), derandomize=True)
settings.load_profile("search")
