"""The files in the box: the default model, the starter library and the model card. `make model` makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent
MODEL: Final = FOLDER / "default.faultprint"
LIBRARY: Final = FOLDER / "starter.db"
CARD: Final = FOLDER / "card.json"
CONDITIONS: Final = FOLDER / "conditions.toml"
