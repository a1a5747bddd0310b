"""The command `key`: the keys that hash subscribers."""

from __future__ import annotations

from pathlib import Path

import click

from faultprint.cli.options import OUTPUT, json_option, report

key_file_option = click.option(
    "--key-file", type=OUTPUT, help="File with the keys.  [default: the key of `faultprint probe`]"
)


@click.group()
def key() -> None:
    """Show and rotate the keys that hash subscribers and calls.

    Only the newest key makes hashes. A transactions table names the id of its key. Under another key, a subscriber has
    another hash.
    """


@key.command()
@key_file_option
@json_option
def show(key_file: Path | None, as_json: bool) -> None:
    """Print the ids of the keys, newest first. The keys themselves are not printed."""
    from faultprint.probe.privacy import key as keys

    path = key_file or keys.default_path()
    report({"file": path, "ids": [keys.key_id(one) for one in keys.load(path)]}, as_json)


@key.command()
@key_file_option
@click.option("--keep", type=click.IntRange(0, 15), default=1, show_default=True, help="Old keys to keep.")
@json_option
def rotate(key_file: Path | None, keep: int, as_json: bool) -> None:
    """Make a new key, and keep the newest old ones. Running probes use it after their next start."""
    from faultprint.probe.privacy import key as keys

    path = key_file or keys.default_path()
    report({"file": path, "ids": [keys.key_id(one) for one in keys.rotate(path, keep)]}, as_json)


@key.command("hash")
@click.argument("subscriber")
@key_file_option
@json_option
def hash_subscriber(subscriber: str, key_file: Path | None, as_json: bool) -> None:
    """Print the hash of SUBSCRIBER (a sip: or tel: URI) under each key, to find its rows in a table."""
    from faultprint.errors import UsageError
    from faultprint.probe.privacy import key as keys
    from faultprint.probe.privacy.pseudonyms import Hasher

    path = key_file or keys.default_path()
    hashes = {keys.key_id(one): Hasher(one).user(subscriber.encode()) for one in keys.load(path)}
    if None in hashes.values():
        raise UsageError(
            f"{subscriber!r} names no subscriber; give a URI such as sip:alice@example.com or tel:+4930123."
        )
    report(hashes, as_json)
