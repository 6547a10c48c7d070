"""Serve the studio on the loopback interface until it is interrupted.

    server = Server(Studio(model), settings.state_dir() / "studio")
    print(server.address)
    server.run()
"""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

import uvicorn

from ..errors import UsageError
from .api import application
from .core import Studio
from .guard import HOST, Guard
from .shelf import OpenSong

TOKEN_BYTES = 24
GRACE = 2  # seconds for requests that are under way when the studio ends


class Server:
    """A server that listens already when it is made: its address works as soon as `run` begins."""

    def __init__(self, studio: Studio, folder: Path, opened: OpenSong | None = None, *, port: int = 0) -> None:
        """`folder` is where sessions are kept. `port` 0 takes a free one. Raises UsageError for a port that is in use,
        or not allowed."""
        try:
            self.socket = socket.create_server((HOST, port))
        except OSError as error:
            what = f"the port {port} cannot be used ({error.strerror or error})"
            raise UsageError(what, remedy="give another port=..., or leave it out for a free one") from None
        # An answer is sent in several pieces, and without this each would wait up to 40 ms for the receipt of the last.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self.socket.getsockname()[1]
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self.app = Guard(application(studio, folder, opened), self.token, self.port)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}/{self.token}/"

    def run(self) -> None:
        """Serve until Ctrl-C, which raises KeyboardInterrupt here, or until SIGTERM."""
        config = uvicorn.Config(
            self.app, log_level="warning", access_log=False, server_header=False, date_header=False,
            lifespan="off", timeout_graceful_shutdown=GRACE, ws="none", proxy_headers=False,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[self.socket])
