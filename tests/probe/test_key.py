"""The keys of the hashes: made whole, read only if they are safe, rotated, and named in every table."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from captures import MS, PCSCF, UE, frames, pcap, request, response
from click.testing import CliRunner

from faultprint import storage
from faultprint.cli import cli
from faultprint.errors import UsageError
from faultprint.probe.privacy import key as keys
from faultprint.tables import KEY_ID_KEY, TRANSACTIONS


def run(*words: object, status: int = 0) -> str:
    result = CliRunner().invoke(cli, [*map(str, words)])
    assert result.exit_code == status, result.output
    return result.output


def test_a_new_key_is_random_and_its_owner_s(tmp_path: Path) -> None:
    first, second = (keys.load_or_create(tmp_path / "deep" / name) for name in "ab")
    assert first != second and len(first) == keys.KEY_BYTES
    assert keys.load_or_create(tmp_path / "deep" / "a") == first
    assert stat.S_IMODE((tmp_path / "deep" / "a").stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["a", "b"]


def test_processes_that_make_the_key_at_once_get_the_same_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len({*pool.map(lambda _: keys.load_or_create(tmp_path / "key"), range(64))}) == 1


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        (b"k" * 31, 0o600, "has 31 bytes, but a key has 32"),
        (b"", 0o600, "has 0 bytes"),
        (b"k" * 32 * 17, 0o600, "has 544 bytes"),
        (bytes(32), 0o600, "a key of zeros"),
        (b"k" * 32 + bytes(32), 0o600, "a key of zeros"),
        (b"k" * 32, 0o644, r"mode 0644.*chmod 600"),
        (b"k" * 32, 0o620, r"mode 0620"),
    ],
)
def test_an_unsafe_key_is_refused(tmp_path: Path, content: bytes, mode: int, sentence: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(UsageError, match=sentence):
        keys.load_or_create(path)
    assert path.read_bytes() == content


def test_rotation_keeps_the_newest_old_keys(tmp_path: Path) -> None:
    path = tmp_path / "key"
    old = keys.load_or_create(path)
    shown = json.loads(run("key", "rotate", "--key-file", path, "--json"))["ids"]
    assert keys.load_or_create(path) != old and keys.load(path)[1] == old
    assert shown[1] == keys.key_id(old) and len(shown) == 2
    run("key", "rotate", "--key-file", path, "--keep", 0)
    assert len(keys.load(path)) == 1 and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(run("key", "show", "--key-file", path, "--json"))["ids"] == [keys.key_id(keys.load(path)[0])]
    assert keys.load(path)[0].hex() not in run("key", "show", "--key-file", path)


def test_a_table_names_its_key_and_a_subscriber_is_found_after_a_rotation(tmp_path: Path) -> None:
    text = request("OPTIONS")
    capture, path, out = tmp_path / "a.pcap", tmp_path / "key", tmp_path / "t.parquet"
    capture.write_bytes(pcap(frames([(0, UE, PCSCF, text), (MS, PCSCF, UE, response(200, text))])))
    run("probe", capture, "--node", f"p={PCSCF}", "--out", out, "--key-file", path)
    identity = storage.metadata(out)[KEY_ID_KEY]
    run("key", "rotate", "--key-file", path)
    hashes = json.loads(run("key", "hash", "sip:alice@ims.example.org", "--key-file", path, "--json"))
    assert [*hashes][1] == identity and hashes[identity] == storage.read(out, TRANSACTIONS)["user"][0]
    with pytest.raises(UsageError, match="names no subscriber"):
        cli.main(["key", "hash", "sip:", "--key-file", str(path)], standalone_mode=False)


def test_an_absent_key_is_not_made_by_showing_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        keys.load(tmp_path / "key")
    assert not (tmp_path / "key").exists()
