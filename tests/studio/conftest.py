"""A client of the studio without a server, and a server as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from studio_client import BASE, PORT, TOKEN

from arvae_music import library
from arvae_music.studio.api import application
from arvae_music.studio.core import Studio
from arvae_music.studio.guard import Guard

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette recommends another client than httpx
    from starlette.testclient import TestClient

Serve = Callable[..., Any]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = Guard(application(Studio(library.load()), tmp_path_factory.mktemp("sessions")), TOKEN, PORT)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as found:
        yield found


@pytest.fixture
def serve(home: dict[str, str], work: Path) -> Iterator[Serve]:
    """`serve(*words)` starts `arvae studio --no-browser --json` in `work`: the process and its address."""
    with ExitStack() as stack:
        yield lambda *words: stack.enter_context(_serving(words, home, work))


@contextmanager
def _serving(words: tuple[object, ...], home: dict[str, str], work: Path) -> Iterator[tuple[Any, str]]:
    command = [sys.executable, "-m", "arvae_music.cli", "studio", "--no-browser", "--json", *map(str, words)]
    buffered = {name: value for name, value in home.items() if name != "PYTHONUNBUFFERED"}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=work, env=buffered, stdout=pipe, stderr=pipe, text=True)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        yield process, json.loads("".join(lines))["address"]
    finally:
        process.kill()
        process.communicate()
