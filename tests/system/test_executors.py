"""The same work in this process, in other processes, and on a Ray cluster of this machine."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from arvae_music.errors import ArvaeError, ExtraError, UsageError
from arvae_music.system import executors, extras
from arvae_music.system.executors import LOCAL, Executor, OnRay, Processes, all_of
from arvae_music.system.processes import AHEAD, Died


def square(n: int) -> int:
    """13 kills its process."""
    if n == 13:
        os._exit(1)
    return n * n


def squares(executor: Executor, numbers: list[int]) -> list[int | str]:
    return ["died" if isinstance(one, Died) else one for one in executor.run(square, numbers)]


def test_processes_give_the_results_in_order() -> None:
    assert squares(Processes(1), [3, 1, 2]) == [9, 1, 4]


@pytest.mark.process
def test_items_are_taken_only_a_little_ahead() -> None:
    taken = 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        for n in range(10_000):
            taken += 1
            yield n + 100

    results = Processes(2).run(square, numbers())
    for _ in range(3):
        next(results)
    time.sleep(0.2)
    assert taken <= 3 + 2 * AHEAD + 2
    results.close()


@pytest.mark.process
def test_work_that_needs_every_result_ends_when_a_process_dies() -> None:
    assert all_of(Processes(2), square, [3, 1, 2]) == [9, 1, 4]
    with pytest.raises(ArvaeError, match="a process that worked on it died"):
        all_of(Processes(2), square, [3, 13])


def test_ray_must_be_installed_and_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(ExtraError, match="needs ray"):
        squares(OnRay(LOCAL), [1])


@pytest.mark.slow
def test_a_cluster_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead worker costs nothing; an item that kills every worker is Died; relative paths are the driver's."""
    ray = pytest.importorskip("ray")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # its workers cannot import tests
    monkeypatch.chdir(tmp_path)
    with executors.connected(LOCAL, num_cpus=2):
        found = squares(OnRay(LOCAL), [*range(10, 30)])
        assert found == ["died" if n == 13 else n * n for n in range(10, 30)]
        assert set(OnRay(LOCAL).run(folder_of, [1, 2, 3])) == {str(tmp_path)}
        with pytest.raises(ZeroDivisionError):
            list(OnRay(LOCAL).run(divide, [1, 0]))
        results = OnRay(LOCAL).run(square, iter(range(100, 10_000)))
        assert next(results) == 10_000
        results.close()


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_said() -> None:
    pytest.importorskip("ray")
    with pytest.raises(UsageError, match="no Ray cluster answers there"):
        squares(OnRay("auto"), [1])


def folder_of(_: int) -> str:
    return str(Path.cwd())


def divide(n: int) -> float:
    return 1 / n
