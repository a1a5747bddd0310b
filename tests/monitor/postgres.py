"""A real PostgreSQL server for tests: its own folder, its own socket, no network; not root, whoever runs the tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from faultprint.monitor.base.location import PostgresUrl

ROLE = "faultprint"


def programs() -> Path | None:
    """The folder of Debian's newest server, or of one on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    path = shutil.which("initdb")
    return Path(path).resolve().parent if path else None


class Server:
    """Starts with `start`, ends with `stop`; keeps its data between the two. `close` removes everything."""

    def __init__(self, folder_of_programs: Path) -> None:
        self._programs = folder_of_programs
        self._user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="faultprint-postgres-"))
        if self._user:
            shutil.chown(self.folder, self._user)
        self._schemas = 0
        self._process: subprocess.Popen[bytes] | None = None
        words = ("-D", "data", "-U", ROLE, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        subprocess.run(
            [self._programs / "initdb", *words], cwd=self.folder, user=self._user, capture_output=True, check=True
        )

    def start(self) -> None:
        """Until it answers."""
        words = ("-D", "data", "-k", str(self.folder), "-c", "listen_addresses=", "-c", "fsync=off")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", *words], cwd=self.folder, user=self._user, stdout=log, stderr=log
            )
        limit = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url()).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < limit and self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)

    def stop(self) -> None:
        """At once, as a machine that fails: connections break, nothing is finished."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str = "postgres", options: str = "") -> str:
        more = f"&options={quote(options)}" if options else ""
        return f"postgresql:///{database}?host={quote(str(self.folder))}&user={ROLE}{more}"

    def fresh(self) -> PostgresUrl:
        """A schema that nobody has used."""
        self._schemas += 1
        self.do(f"CREATE SCHEMA s{self._schemas}")
        return PostgresUrl(self.url(options=f"-csearch_path=s{self._schemas}"))

    def do(self, statement: str) -> None:
        """As the administrator."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """As the administrator."""
        with psycopg.connect(self.url()) as connection:
            return connection.execute(query).fetchall()

    def break_connections(self) -> None:
        """All that others hold."""
        others = "pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        self.do(f"SELECT pg_terminate_backend(pid) FROM {others}")
