"""`arvae studio` as a process: it starts, answers, serves many requests at once, and ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import REPOSITORY, Run, write_melody

from arvae_music.studio.problems import RequestError
from arvae_music.studio.work import Worker
from arvae_music.system import stopping

pytestmark = pytest.mark.process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_opens_a_file_and_ends_by_a_signal(serve: Any, melody: Path, number: signal.Signals, code: int) -> None:
    process, address = serve(melody.name)
    state = httpx.get(f"{address}api/v1/state").json()
    song = httpx.get(f"{address}api/v1/songs/{state['opened']}").json()
    assert (song["name"], len(song["measures"])) == ("melody.mid", 2)
    assert httpx.get(address).headers["content-type"].startswith("text/html")
    before = sorted(path.name for path in melody.parent.iterdir())
    httpx.post(f"{address}api/v1/songs/{song['id']}/edits", json={"sliders": {"density": "+1notes"}})
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert errors.strip() in ("arvae: interrupted", "arvae: terminated")
    assert sorted(path.name for path in melody.parent.iterdir()) == before


def test_it_ends_while_it_computes(serve: Any, work: Path) -> None:
    write_melody(work / "long.mid", tuple(60 + (7 * i) % 13 for i in range(1200)))
    process, address = serve("long.mid")
    api = f"{address}api/v1/songs/s1"
    asking = threading.Thread(target=_ignoring_errors, args=(f"{api}/variations", {"count": 50}), daemon=True)
    asking.start()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130


def _ignoring_errors(address: str, body: Any) -> None:
    with contextlib.suppress(httpx.HTTPError):
        httpx.post(address, json=body, timeout=60)


def test_it_listens_on_the_loopback_interface_only(serve: Any) -> None:
    _, address = serve()
    port = httpx.URL(address).port
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for other in others - {"127.0.0.1", "127.0.1.1"}:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((str(other), port), timeout=2)


def test_two_hundred_requests_at_once_are_all_answered(serve: Any, melody: Path) -> None:
    _, address = serve(melody.name)

    async def ask() -> list[tuple[int, str]]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=f"{address}api/v1/", timeout=120, limits=limits) as client:
            async def one(seed: int) -> tuple[int, str]:
                if seed % 4:
                    answer = await client.get("songs/s1")
                    return answer.status_code, answer.json()["name"]
                answer = await client.post("songs/s1/edits", json={"sliders": {"density": "+1notes"}, "seed": seed})
                return answer.status_code, answer.json()["id"]

            return await asyncio.gather(*(one(seed) for seed in range(200)))

    answers = asyncio.run(ask())
    assert {status for status, _ in answers} == {200, 201}
    edits = [name for status, name in answers if status == 201]
    assert len(edits) == len(set(edits)) == 50
    assert httpx.get(f"{address}api/v1/edits/{edits[0]}/file").status_code == 200  # nothing is lost


def test_usage_errors_are_one_sentence(run_arvae: Run, melody: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_arvae("studio", "--no-browser", "--port", port)
    assert done.returncode == 2
    assert done.stderr.startswith(f"arvae: the port {port} cannot be used")
    assert "give another --port" in done.stderr
    done = run_arvae("studio", "--no-browser", "missing.mid")
    assert (done.returncode, done.stderr) == (1, "arvae: missing.mid: there is no such file\n")
    melody.write_bytes(b"nothing")
    done = run_arvae("studio", "--no-browser", "melody.mid")
    assert done.returncode == 1
    assert "melody.mid" in done.stderr


# ------------------------------------------------------------------------------------ the threads


def test_work_that_nobody_waits_for_is_stopped() -> None:
    worker, ended = Worker("test"), threading.Event()

    def endless() -> None:
        try:
            while True:
                stopping.check()
                time.sleep(0.001)
        finally:
            ended.set()

    async def give_up() -> None:
        running = asyncio.create_task(worker.run(endless))
        waiting = asyncio.create_task(worker.run(lambda: started.append("the second job")))
        await asyncio.sleep(0.05)
        waiting.cancel()
        running.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)

    started: list[str] = []
    asyncio.run(give_up())
    assert ended.wait(5)
    assert asyncio.run(worker.run(lambda: "the next")) == "the next"
    assert not started


def test_an_iteration_that_nobody_reads_is_stopped() -> None:
    worker, ended = Worker("test"), threading.Event()

    def numbers() -> Any:
        try:
            for number in range(10**9):
                stopping.check()
                yield number
        finally:
            ended.set()

    async def read_two() -> list[int]:
        found = worker.each(numbers)
        two = [await anext(found), await anext(found)]
        await found.aclose()
        return two

    assert asyncio.run(read_two()) == [0, 1]
    assert ended.wait(5)


def test_too_many_waiting_jobs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arvae_music.studio.work.MOST_WAITING", 1)
    worker, go = Worker("test"), threading.Event()
    running = threading.Event()
    worker.start(lambda: (running.set(), go.wait()))
    assert running.wait(5)
    worker.start(lambda: None)
    with pytest.raises(RequestError, match="too many requests wait"):
        worker.start(lambda: None)
    go.set()


def test_the_description_of_a_server_is_json(serve: Any) -> None:
    _, address = serve()
    assert json.loads(httpx.get(f"{address}api/v1/openapi.json").text)["openapi"] == "3.1.0"


def test_the_example_of_the_documentation_works(serve: Any, melody: Path, home: dict[str, str]) -> None:
    text = (REPOSITORY / "docs" / "studio.md").read_text("utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    _, address = serve()
    code = code.replace('"ADDRESS"', repr(address.rstrip("/")))
    done = subprocess.run([sys.executable, "-c", code], cwd=melody.parent, env=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("melody.mid\n")
    made = sorted(melody.parent.glob("variatione*.mid"))
    assert len(made) == 3
    assert all(path.read_bytes()[:4] == b"MThd" for path in made)
