"""A process that has loaded everything and runs `arvae` in forks of itself, which start in milliseconds.

A fork is a real process: it has its own working folder, environment, streams and exit code. Only the start of Python
and the imports are spared. Where there is no fork (Windows), each command starts a Python of its own.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

# Not pyarrow: it starts threads, which do not survive a fork.
HEAVY = ("PIL.Image", "matplotlib.backends.backend_agg", "music21", "scipy.stats", "symusic", "torch")


def start(
    words: Sequence[object], cwd: Path, env: dict[str, str], stdin: bytes = b"", timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """`arvae words` in a Python of its own, as a user starts it."""
    command = [sys.executable, "-m", "arvae_music.cli", *map(str, words)]
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, env=env, timeout=timeout)
    return _as_text(done)


def _as_text(done: subprocess.CompletedProcess[bytes]) -> subprocess.CompletedProcess[str]:
    texts = (stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, *texts)


class Server:
    """The process, which the first run starts, and what it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None

    def run(
        self, words: Sequence[object], cwd: Path, env: dict[str, str], stdin: bytes = b"", timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """`arvae words` in a fork. One that takes longer than `timeout` seconds is killed by SIGALRM."""
        if not hasattr(os, "fork"):
            return start(words, cwd, env, stdin, timeout)
        streams = [self.folder / name for name in ("stdin", "stdout", "stderr")]
        streams[0].write_bytes(stdin)
        wish = {"words": [str(word) for word in words], "streams": [str(path) for path in streams], "cwd": str(cwd)}
        process = self.process = self.process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({**wish, "env": env, "timeout": timeout}) + "\n")
        process.stdin.flush()
        code = int(process.stdout.readline())
        return _as_text(subprocess.CompletedProcess(words, code, streams[1].read_bytes(), streams[2].read_bytes()))

    def _start(self) -> subprocess.Popen[str]:
        """It has a home of its own, since libraries read their settings when they are imported, and one thread, since
        threads do not survive a fork."""
        pipe = subprocess.PIPE
        env = {**os.environ, "HOME": str(self.folder), "OMP_NUM_THREADS": "1"}
        env["PYTHONPATH"] = str(Path(__file__).parent)
        command = [sys.executable, "-c", "import forked; forked.serve()"]
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env, cwd=self.folder)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: object, trace: TracebackType | None) -> None:
        if self.process is not None:
            self.process.communicate()


def serve() -> None:
    """Load the libraries and all commands, then run each line of stdin in a fork, and print its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the tests, and then the end of stdin ends this
    for name in HEAVY:
        importlib.import_module(name)
    for package in ("arvae_music", "arvae_music.corpora", "arvae_music.cli"):  # the last two lie elsewhere
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # the forks share these pages
    # Its own streams stay untouched: the forks inherit their buffers.
    with os.fdopen(os.dup(0)) as wishes, os.fdopen(os.dup(1), "w") as codes:
        while line := wishes.readline():
            child = os.fork()
            if child == 0:
                _become_arvae(**json.loads(line))
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), file=codes, flush=True)


def _become_arvae(words: list[str], streams: list[str], cwd: str, env: dict[str, str], timeout: float) -> None:
    """Run the command line in this process, and end it as Python ends `python -m arvae_music.cli`."""
    from arvae_music.cli.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    for number, path in enumerate(streams):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(path, flags), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[0] = cwd
    sys.argv = ["arvae", *words]
    code = main(words)
    # As Python ends, but without taking down the modules, which takes most of a second.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
