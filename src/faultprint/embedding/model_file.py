"""The one file that training leaves behind: a ZIP of a manifest and of ONNX graphs, stored uncompressed.

    manifest.json   format, catalogue, normalisation, window, training record, calibration (see `Manifest`)
    minute.onnx     encoder "pooled": inputs of minutes (N, I) → codes (N, S · H)
    head.onnx       encoder "pooled": pooled codes (N, 3 · S · H) → vectors (N, D)
    window.onnx     encoder "recurrent": windows (N, W, F) → vectors (N, D)

No pickle, nothing compressed, nothing executed: a file that is not exactly this is refused with one sentence.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, get_args

from faultprint.embedding.population_baseline import PopulationBaseline
from faultprint.errors import FaultprintError, ModelError
from faultprint.features.catalogue import Catalogue
from faultprint.files import replacing
from faultprint.windows.profile import Profile

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
LARGEST: Final = 64 * 2**20
"""Bytes that a member may have; the posts' network, the largest known, has 15 million."""

EncoderKind = Literal["pooled", "recurrent"]
GRAPHS: Final[Mapping[EncoderKind, tuple[str, ...]]] = {
    "pooled": ("minute.onnx", "head.onnx"),
    "recurrent": ("window.onnx",),
}
_ID_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model is.

    preset, encoder   which network made the graphs, and how they are run
    catalogue         the features, in the order of a window's F axis
    interval_us       length of a "minute"
    window            minutes of a window, W
    dimensions        of a vector, D
    spans             minutes of the trailing means beside each minute (encoder "pooled"; else empty)
    population        what normal traffic looked like over the training networks (encoder "pooled"; else none)
    training          record of the training: seed, epochs, losses, effective dimensions, versions, …
    calibration       distances on networks held out from training, see `faultprint.training.calibration`
    stranger          what is normal for a node of which nothing is known (encoder "pooled"; none in models of before)
    """

    preset: str
    encoder: EncoderKind
    catalogue: Catalogue
    interval_us: int
    window: int
    dimensions: int
    spans: tuple[int, ...]
    population: Profile | None
    training: dict[str, Any]
    calibration: dict[str, Any]
    population_baseline: PopulationBaseline | None = None

    def to_json(self) -> str:
        """The text of manifest.json; `from_json` reads it back."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        plain["catalogue"] = json.loads(self.catalogue.to_json())
        plain["population"] = self.population.as_dict() if self.population else None
        if self.population_baseline:
            plain["stranger"] = self.population_baseline.as_dict()
        else:
            del plain["stranger"]  # models of before do without, and keep their identity
        text = {"format": FORMAT, "catalogue_hash": self.catalogue.hash, **plain}
        return json.dumps(text, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Raises ModelError unless `text` is a manifest of this format."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"The model's manifest is no JSON ({error}); train the model anew.") from None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            version = found.get("format") if isinstance(found, dict) else None
            raise ModelError(
                f"The model has format {version!r}, but this version of Faultprint reads format {FORMAT}; train the model anew."
            )
        found = {"stranger": None, **found}
        names = {field.name for field in fields(cls)}
        if different := sorted({*found} ^ {"format", "catalogue_hash", *names}):
            problem = "has the unknown" if different[0] in found else "lacks the"
            raise ModelError(f"The model's manifest {problem} field {different[0]!r}; train the model anew.")
        manifest = cls(**{name: _converted(name, found[name]) for name in names})
        _check(manifest, found["catalogue_hash"])
        return manifest


def _converted(name: str, value: Any) -> Any:
    """A manifest's field as read from JSON, as the type that `Manifest` declares."""
    wanted = _TYPES[name]
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise ModelError(f"The model's {name} is {str(value)[:60]!r}, which it cannot be; train the model anew.")
    if name == "catalogue":
        try:
            return Catalogue.from_json(json.dumps(value))
        except FaultprintError as error:
            raise ModelError(f"The model's catalogue cannot be read: {error}") from None
    if name == "spans":
        return tuple(value)
    return value


_TYPES: Final[Mapping[str, Any]] = {
    "preset": str,
    "encoder": str,
    "catalogue": dict,
    "interval_us": int,
    "window": int,
    "dimensions": int,
    "spans": list,
    "population": dict | None,
    "training": dict,
    "calibration": dict,
    "stranger": dict | None,
}


def _check(manifest: Manifest, catalogue_hash: Any) -> None:
    """Raise ModelError for values that no model of ours has; turn the population into a Profile."""
    if manifest.catalogue.hash != catalogue_hash:
        raise ModelError(
            "The model's catalogue does not match its own hash: the file was altered; train the model anew."
        )
    if manifest.encoder not in get_args(EncoderKind):
        raise ModelError(
            f"The model's encoder is {manifest.encoder!r}, which this version does not know; update Faultprint."
        )
    for name, most in (("interval_us", 86_400_000_000), ("window", 10_080), ("dimensions", 65_536)):
        if not 1 <= getattr(manifest, name) <= most:
            raise ModelError(
                f"The model's {name} is {getattr(manifest, name)}, which is not within 1 to {most}; train the model anew."
            )
    pooled = manifest.encoder == "pooled"
    good = all(type(span) is int and 1 <= span <= manifest.window for span in manifest.spans)
    if not good or bool(manifest.spans) != pooled or (manifest.population is not None) != pooled:
        raise ModelError(
            f"The model's spans and population do not fit its encoder {manifest.encoder!r}; train the model anew."
        )
    if pooled:
        assert isinstance(manifest.population, dict)
        object.__setattr__(manifest, "population", Profile.from_dict(manifest.population, len(manifest.catalogue)))
    if manifest.population_baseline is not None:
        assert isinstance(manifest.population_baseline, dict)
        if not pooled:
            raise ModelError("The model's encoder knows no strangers, but its manifest does; train the model anew.")
        object.__setattr__(
            manifest, "stranger", PopulationBaseline.from_dict(manifest.population_baseline, manifest.dimensions)
        )


@dataclass(frozen=True, slots=True)
class ModelArtifact:
    """A manifest and its graphs (serialised ONNX by member name); `id` is a hash over all of it."""

    manifest: Manifest
    graphs: Mapping[str, bytes]

    @property
    def id(self) -> str:
        """The first 64 bits of a SHA-256 over manifest and graphs, in hex: references name their model by it."""
        digest = hashlib.sha256(self.manifest.to_json().encode())
        for name in GRAPHS[self.manifest.encoder]:
            digest.update(self.graphs[name])
        return digest.hexdigest()[:_ID_DIGITS]


def save(artefact: ModelArtifact, path: Path) -> None:
    """Write the file, all or nothing. The same artefact gives the same bytes."""
    buffer = io.BytesIO()
    members = {MANIFEST: artefact.manifest.to_json().encode(), **artefact.graphs}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def read(path: Path) -> ModelArtifact:
    """The artefact in `path`. Raises ModelError for anything else."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
    except FileNotFoundError:
        raise ModelError(f"There is no model {path}; train one, or give its path.") from None
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path} is no model, or it is damaged ({error}); train it anew.") from None
    try:
        text = members.pop(MANIFEST).decode("utf-8")
    except KeyError:
        raise ModelError(f"{path} is no model: it has no {MANIFEST}; give the file that training left.") from None
    except UnicodeDecodeError:
        raise ModelError(f"The manifest in {path} is no text; train the model anew.") from None
    manifest = Manifest.from_json(text)
    wanted = GRAPHS[manifest.encoder]
    if different := sorted({*members} ^ {*wanted}):
        problem = "holds" if different[0] in members else "lacks"
        raise ModelError(
            f"{path} {problem} {different[0]!r}, unlike a model with encoder {manifest.encoder!r}; train it anew."
        )
    return ModelArtifact(manifest, {name: members[name] for name in wanted})


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, bytes]:
    """Every member's bytes, sizes looked at before anything is read."""
    known = {MANIFEST, *(name for names in GRAPHS.values() for name in names)}
    members: dict[str, bytes] = {}
    for info in archive.infolist():
        if info.filename not in known or info.filename in members:
            raise ModelError(f"{path} is no model: it holds {info.filename[:60]!r}; give the file that training left.")
        if info.compress_type != zipfile.ZIP_STORED or max(info.file_size, info.compress_size) > LARGEST:
            raise ModelError(
                f"{path} is no model: {info.filename!r} is compressed or larger than {LARGEST // 2**20} MiB; "
                "give the file that training left."
            )
        members[info.filename] = archive.read(info)
    return members
