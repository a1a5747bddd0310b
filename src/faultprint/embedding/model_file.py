"""The model file: a ZIP archive of a manifest and ONNX graphs, stored uncompressed. Training writes it.

    manifest.json   format, catalogue, normalisation, window, training record, calibration (see `Manifest`)
    minute.onnx     encoder "pooled": inputs of minutes (N, I) → codes (N, S · H)
    head.onnx       encoder "pooled": pooled codes (N, 3 · S · H) → vectors (N, D)
    window.onnx     encoder "recurrent": windows (N, W, F) → vectors (N, D)
    signature       optional: 64 bytes over the other members (`embedding.signature`)

The file holds no pickle, and reading it executes nothing. `read_artifact` refuses any other content with one sentence.
"""

from __future__ import annotations

import hashlib
import io
import json
import reprlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, cast, get_args

import numpy as np

from faultprint.arrays import Float32Array
from faultprint.errors import FaultprintError, ModelError
from faultprint.features.catalogue import Catalogue
from faultprint.files import replacing
from faultprint.units import DAY_US
from faultprint.windows.profile import Profile, finite_vector

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "signature"
SIGNATURE_BYTES: Final = 64
MAX_MEMBER_BYTES: Final = 64 * 2**20
"""Largest member of the archive. The largest known network, the 2017 baseline, needs 15 million bytes."""

EncoderKind = Literal["pooled", "recurrent"]
GRAPHS: Final[Mapping[EncoderKind, tuple[str, ...]]] = {
    "pooled": ("minute.onnx", "head.onnx"),
    "recurrent": ("window.onnx",),
}
_ID_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class PopulationBaseline:
    """The baseline of a node without history: normal traffic of the training nodes under the population's profile.

    mean         (D,) mean vector of normal windows
    short_mean   (D,) mean vector of normal short windows; None where the encoder reads whole windows
    """

    mean: Float32Array
    short_mean: Float32Array | None

    def as_dict(self) -> dict[str, Any]:
        """The baseline for JSON; `from_dict` reads it back equal."""
        short_mean = None if self.short_mean is None else _as_list(self.short_mean)
        return {"mean": _as_list(self.mean), "recent": short_mean}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], dimensions: int) -> Self:
        """Raises ModelError unless `document` is the result of `as_dict` for this number of dimensions."""
        if set(document) != {"mean", "recent"}:
            raise ModelError(
                "The model's population baseline must have mean, recent and nothing else; train the model again."
            )
        short_mean = document["recent"]
        if short_mean is not None:
            short_mean = finite_vector("The population baseline's recent mean", short_mean, dimensions)
        return cls(finite_vector("The population baseline's mean", document["mean"], dimensions), short_mean)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The description of a model.

    preset, encoder       the network that made the graphs, and how to run them
    catalogue             the features, in the order of a window's F axis
    interval_us           length of a "minute", µs
    window                minutes of a window, W
    dimensions            length of a vector, D
    spans                 minutes of the trailing means (encoder "pooled"; else empty)
    population            profile of normal traffic over the training networks (encoder "pooled"; else None)
    training              record of the training: seed, epochs, losses, effective dimensions, versions, …
    calibration           distances on networks held out from training, see `faultprint.training.calibration`
    population_baseline   baseline of a node without history (encoder "pooled"; None in older models)
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
        """The text of manifest.json; `from_json` reads it back. The model's id hashes this text."""
        document: dict[str, Any] = {
            "format": FORMAT,
            "catalogue_hash": self.catalogue.hash,
            "preset": _STORED_PRESETS.get(self.preset, self.preset),
            "encoder": self.encoder,
            "catalogue": json.loads(self.catalogue.to_json()),
            "interval_us": self.interval_us,
            "window": self.window,
            "dimensions": self.dimensions,
            "spans": self.spans,
            "population": self.population.as_dict() if self.population else None,
            "training": self.training,
            "calibration": self.calibration,
        }
        if self.population_baseline:  # Older models lack this key and must keep their id.
            document[_POPULATION_BASELINE] = self.population_baseline.as_dict()
        return json.dumps(document, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Raises ModelError unless `text` is a manifest of this format."""
        document = _parse(text)
        _check_types(document)
        catalogue, encoder = _catalogue(document), _encoder(document)
        _check_ranges(document)
        features, dimensions = len(catalogue), document["dimensions"]
        population, baseline = document["population"], document[_POPULATION_BASELINE]
        return cls(
            preset=_PRESET_NAMES.get(document["preset"], document["preset"]),
            encoder=encoder,
            catalogue=catalogue,
            interval_us=document["interval_us"],
            window=document["window"],
            dimensions=dimensions,
            spans=tuple(document["spans"]),
            population=None if population is None else Profile.from_dict(population, features),
            training=document["training"],
            calibration=document["calibration"],
            population_baseline=None if baseline is None else PopulationBaseline.from_dict(baseline, dimensions),
        )


_POPULATION_BASELINE: Final = "stranger"
"""The stored key of `Manifest.population_baseline`. It must not change: the model's id hashes it."""
_STORED_PRESETS: Final[Mapping[str, str]] = {"reference-lstm": "posts", "reference-lstm-3d": "posts-3d"}
"""Presets whose stored name differs. The stored names must not change either."""
_PRESET_NAMES: Final[Mapping[str, str]] = {stored: name for name, stored in _STORED_PRESETS.items()}

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
    _POPULATION_BASELINE: dict | None,
}
_MAXIMA: Final = {"interval_us": DAY_US, "window": 10_080, "dimensions": 4096}
MAX_SPANS: Final = 16
MAX_FEATURES: Final = 4096


def _parse(text: str) -> dict[str, Any]:
    """The manifest as JSON, with all keys of this format and no others."""
    try:
        document = json.loads(text)
        json.dumps(document, indent=1, allow_nan=False)  # The id needs a manifest that can be written again.
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The model's manifest is not JSON ({error}); train the model again.") from None
    version = document.get("format") if isinstance(document, dict) else None
    if not isinstance(document, dict) or version != FORMAT:
        raise ModelError(
            f"The model has format {reprlib.repr(version)}, but this version of Faultprint reads format {FORMAT}; "
            "train the model again."
        )
    document = {_POPULATION_BASELINE: None, **document}
    if different := sorted({*document} ^ {"format", "catalogue_hash", *_TYPES}):
        problem = "has the unknown" if different[0] in document else "lacks the"
        raise ModelError(
            f"The model's manifest {problem} field {reprlib.repr(different[0])}; train the model again with this version."
        )
    return document


def _check_types(document: Mapping[str, Any]) -> None:
    for name, wanted in _TYPES.items():
        value = document[name]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ModelError(
                f"The model's {name} is {reprlib.repr(value)}, which has the wrong type; train the model again."
            )


def _catalogue(document: Mapping[str, Any]) -> Catalogue:
    try:
        catalogue = Catalogue.from_json(json.dumps(document["catalogue"]))
    except FaultprintError as error:
        raise ModelError(f"The model's catalogue cannot be read: {error}") from None
    if len(catalogue) > MAX_FEATURES:
        raise ModelError(
            f"The model's catalogue has {len(catalogue)} features, but at most {MAX_FEATURES} are possible; use fewer."
        )
    if catalogue.hash != document["catalogue_hash"]:
        raise ModelError(
            "The model's catalogue does not match its own hash: the file was altered; train the model again."
        )
    return catalogue


def _encoder(document: Mapping[str, Any]) -> EncoderKind:
    if document["encoder"] not in get_args(EncoderKind):
        raise ModelError(
            f"The model's encoder is {reprlib.repr(document['encoder'])}, which this version does not know; update Faultprint."
        )
    return cast(EncoderKind, document["encoder"])


def _check_ranges(document: Mapping[str, Any]) -> None:
    """Raise ModelError for numbers out of range, and for fields that do not fit the encoder."""
    for name, maximum in _MAXIMA.items():
        if not 1 <= document[name] <= maximum:
            raise ModelError(
                f"The model's {name} is {reprlib.repr(document[name])}, which is not within 1 to {maximum}; "
                "train the model again."
            )
    pooled, spans = document["encoder"] == "pooled", document["spans"]
    good = len(spans) <= MAX_SPANS and all(type(span) is int and 1 <= span <= document["window"] for span in spans)
    if not good or bool(spans) != pooled or (document["population"] is not None) != pooled:
        raise ModelError(
            f"The model's spans and population do not fit its encoder {document['encoder']!r} (at most {MAX_SPANS} spans); "
            "train the model again."
        )
    if document[_POPULATION_BASELINE] is not None and not pooled:
        raise ModelError(
            f"The model's encoder {document['encoder']!r} cannot have a population baseline; train the model again."
        )


def _as_list(vector: Float32Array) -> list[float]:
    return [float(number) for number in np.asarray(vector)]


@dataclass(frozen=True, slots=True)
class ModelArtifact:
    """A manifest, its serialised ONNX graphs by member name, and a signature; empty if the file is not signed."""

    manifest: Manifest
    graphs: Mapping[str, bytes]
    signature: bytes = b""

    @property
    def id(self) -> str:
        """The model's id: the first 64 bits of a SHA-256 over manifest and graphs, in hex. References store it."""
        digest = hashlib.sha256(self.manifest.to_json().encode())
        for name in GRAPHS[self.manifest.encoder]:
            digest.update(self.graphs[name])
        return digest.hexdigest()[:_ID_DIGITS]


def write_artifact(artifact: ModelArtifact, path: Path) -> None:
    """Write the file, all or nothing. The same artifact gives the same bytes."""
    buffer = io.BytesIO()
    members = {MANIFEST: artifact.manifest.to_json().encode(), **artifact.graphs}
    if artifact.signature:
        members[SIGNATURE] = artifact.signature
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def read_artifact(path: Path) -> ModelArtifact:
    """The artifact in the file `path`. Raises ModelError for any other content."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(archive, path)
    except FileNotFoundError:
        raise ModelError(f"The model file {path} does not exist; train a model, or correct the path.") from None
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"{path} is not a model file, or it is damaged ({error}); give a file that `faultprint train` wrote."
        ) from None
    try:
        text = members.pop(MANIFEST).decode("utf-8")
    except KeyError:
        raise ModelError(
            f"{path} is not a model file: it has no {MANIFEST}; give a file that `faultprint train` wrote."
        ) from None
    except UnicodeDecodeError:
        raise ModelError(f"The manifest in {path} is not UTF-8 text; train the model again.") from None
    manifest, signature = Manifest.from_json(text), members.pop(SIGNATURE, b"")
    if len(signature) not in (0, SIGNATURE_BYTES):
        raise ModelError(
            f"The signature in {path} has {len(signature)} bytes, not {SIGNATURE_BYTES}; sign the model again."
        )
    wanted = GRAPHS[manifest.encoder]
    if different := sorted({*members} ^ {*wanted}):
        problem = "has the unexpected" if different[0] in members else "lacks the"
        raise ModelError(
            f"{path} {problem} member {different[0]!r} for the encoder {manifest.encoder!r}; train the model again."
        )
    return ModelArtifact(manifest, {name: members[name] for name in wanted}, signature)


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, bytes]:
    """The bytes of every member. Names and sizes are checked before a member is read."""
    known = {MANIFEST, SIGNATURE, *(name for names in GRAPHS.values() for name in names)}
    members: dict[str, bytes] = {}
    for info in archive.infolist():
        if info.filename not in known or info.filename in members:
            raise ModelError(
                f"{path} is not a model file: it holds {reprlib.repr(info.filename)}; give a file that `faultprint train` wrote."
            )
        if info.compress_type != zipfile.ZIP_STORED or max(info.file_size, info.compress_size) > MAX_MEMBER_BYTES:
            raise ModelError(
                f"{path} is not a model file: {info.filename!r} is compressed or larger than {MAX_MEMBER_BYTES // 2**20} MiB; "
                "give a file that `faultprint train` wrote."
            )
        members[info.filename] = archive.read(info)
    return members
