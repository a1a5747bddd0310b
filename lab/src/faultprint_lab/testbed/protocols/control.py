"""Commands to the processes of a bed: one JSON object a line over a Unix socket, one JSON object back."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Handler = Callable[[Mapping[str, Any]], Mapping[str, Any]]


async def serve(path: Path, handler: Handler) -> asyncio.Server:
    """Serve commands at `path`; a ValueError, KeyError or TypeError of `handler` is answered with {"error": …}."""

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                try:
                    answer: Mapping[str, Any] = handler(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    answer = {"error": f"{type(error).__name__}: {error}"}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    return await asyncio.start_unix_server(connection, path)


def send_command(path: Path, command: Mapping[str, Any], timeout: float = 5.0) -> dict[str, Any]:
    """Send one command and return the answer.

    Raises OSError if there is no answer, ValueError if the command is rejected.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        connection.sendall(json.dumps(command).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            part = connection.recv(65536)
            if not part:
                raise ConnectionError(f"{path} closed without an answer")
            answer += part
    result: dict[str, Any] = json.loads(answer)
    if "error" in result:
        raise ValueError(result["error"])
    return result
