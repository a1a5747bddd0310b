"""The signature of a model file: Ed25519 (RFC 8032) over the manifest and the graphs. Keys are PEM files, as openssl makes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from faultprint.embedding.model_file import GRAPHS, ModelArtifact
from faultprint.errors import ModelError, UsageError

_CONTEXT: Final = b"faultprint model signature 1\n"
"""What the signature is for, so that it cannot be taken from or for anything else."""


def sign(artifact: ModelArtifact, key: Path) -> ModelArtifact:
    """The artifact with a signature by the private key in the PEM file `key`. Raises UsageError for another file."""
    return replace(artifact, signature=_private_key(key).sign(_signed_text(artifact)))


def check_signature(artifact: ModelArtifact, keys: Sequence[Path], source: Path) -> None:
    """Raises ModelError unless one of the public keys in the PEM files `keys` has signed the artifact from `source`.

    Raises UsageError for a file that is no such key.
    """
    public = [_public_key(path) for path in keys]
    if not artifact.signature:
        raise ModelError(
            f"{source} is not signed, but the configuration names model_keys; run `faultprint model sign {source} --key KEY`."
        )
    for key in public:
        try:
            key.verify(artifact.signature, _signed_text(artifact))
        except InvalidSignature:
            continue
        return
    names = ", ".join(map(str, keys))
    raise ModelError(
        f"The signature of {source} is by none of the keys {names}, or the file was altered; get the model again, or add its key."
    )


def _signed_text(artifact: ModelArtifact) -> bytes:
    """What is signed: SHA-256 digests of manifest and graphs, in their order."""
    contents = [
        artifact.manifest.to_json().encode(),
        *(artifact.graphs[name] for name in GRAPHS[artifact.manifest.encoder]),
    ]
    return _CONTEXT + b"".join(hashlib.sha256(content).digest() for content in contents)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"The key {path} cannot be read ({error.strerror}); name a readable PEM file.") from None


def _no_key(path: Path, word: str) -> UsageError:
    return UsageError(
        f"{path} holds no {word} Ed25519 key in PEM form without a password; make one with "
        "`openssl genpkey -algorithm ed25519 -out model-key.pem`, and its public key with "
        "`openssl pkey -in model-key.pem -pubout -out model-key.pub`."
    )


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(_read(path), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _no_key(path, "private") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "private")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _no_key(path, "public") from None
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public")
    return key
