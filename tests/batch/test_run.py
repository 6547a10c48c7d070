"""Batches from Python: outcomes in order, messages and counts."""

from __future__ import annotations

from contextlib import closing

import pytest

from arvae_music.batch.run import NAMES_SHOWN, Counts, results
from arvae_music.batch.work import Outcome
from arvae_music.errors import CheckpointError, InputError
from arvae_music.system.executors import Processes


def halved(number: int) -> int | bool:
    if number < 0:
        return False
    if number % 2:
        raise InputError("is odd", where="" if number == 1 else str(number))
    return number // 2


def test_every_item_has_an_outcome_and_is_counted() -> None:
    counts = Counts()
    with closing(results([4, 1, -1, 6, 3], halved, Processes(1))) as found:
        seen = [(item, outcome.value) for item, outcome in found if counts.add(str(item), outcome) is None]
    assert seen == [(4, 2), (1, None), (-1, False), (6, 3), (3, None)]
    assert str(counts) == "2 done, 1 skipped, 2 failed: 1, 3"


def test_only_the_first_failures_are_named() -> None:
    counts = Counts(done=1)
    for n in range(NAMES_SHOWN + 2):
        counts.add(f"{n}.mid", Outcome(problem=InputError("is odd")))
    assert str(counts) == "1 done, 7 failed: 0.mid, 1.mid, 2.mid, 3.mid, 4.mid and 2 more"
    assert str(Counts(done=2)) == "2 done"


def test_the_message_of_a_failure_names_its_input_once() -> None:
    assert Outcome[int](problem=InputError("is odd")).message("a.mid") == "a.mid: is odd"
    placed = InputError("is odd", where="a.mid, track 2")
    assert Outcome[int](problem=placed).message("a.mid") == "a.mid, track 2: is odd"
    bug = Outcome[int](problem=ZeroDivisionError("oh"))
    assert bug.is_bug
    assert bug.message("a.mid") == "a.mid: a bug in arvae: ZeroDivisionError: oh"
    with pytest.raises(CheckpointError):
        Outcome[int](problem=CheckpointError("no model")).message("a.mid")
