"""Each lock by example, and edits under every lock held to it by other means."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import canonical, rows

from arvae_music import load
from arvae_music.arrays import Rows
from arvae_music.editing.locks import FROZEN, NAMES, UPBEAT, Locks, expect_room, opening_allowed, parse
from arvae_music.errors import UsageError
from arvae_music.music.attributes import BUILT_IN
from arvae_music.music.keys import in_key
from arvae_music.music.melody import Bar, Melody
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import HIGHEST, HOLD, LOWEST, REST, VOCABULARY, ends_in, pitch_of, token_of

C, CIS, D, E, G = (token_of(pitch) for pitch in (72, 73, 74, 76, 79))
ORIGINAL = [C, HOLD, E, REST, D, HOLD]


def allowed(name: str, candidate: list[int], original: list[int] = ORIGINAL, **compass: int) -> bool:
    locks = Locks(frozenset([name]), **compass)
    return bool(locks.allow(np.array([original], dtype=np.int16), np.array([candidate], dtype=np.int16))[0])


@pytest.mark.parametrize(
    ("name", "candidate", "expected"),
    [
        ("onsets", [G, HOLD, C, REST, C, HOLD], True),
        ("onsets", [C, HOLD, E, REST, HOLD, HOLD], False),
        ("onsets", [C, HOLD, E, HOLD, D, HOLD], False),  # a rest is a place too
        ("onsets", [C, HOLD, REST, REST, D, HOLD], False),
        ("pitches", [C, C, E, HOLD, E, D], True),
        ("pitches", [C, REST, C, E, D, REST], True),
        ("pitches", [REST, C, HOLD, E, HOLD, D], True),
        ("pitches", [C, E, D, HOLD, C, HOLD], False),
        ("pitches", [C, HOLD, D, REST, E, HOLD], False),
        ("pitches", [C, HOLD, E, REST, HOLD, HOLD], False),
        ("key", [C, HOLD, G, D, D, HOLD], True),
        ("key", [CIS, HOLD, E, REST, D, HOLD], False),
        ("key", [REST, HOLD, HOLD, REST, HOLD, HOLD], True),
        ("first", [C, HOLD, G, HOLD, HOLD, HOLD], True),
        ("first", [D, HOLD, E, REST, D, HOLD], False),
        ("first", [REST, C, E, REST, D, HOLD], False),
        ("first", [REST, HOLD, HOLD, HOLD, HOLD, HOLD], False),
        ("last", [G, C, HOLD, HOLD, D, HOLD], True),
        ("last", [C, HOLD, E, REST, D, REST], True),  # the note, not its length
        ("last", [C, HOLD, E, REST, D, D], False),
        ("last", [C, HOLD, E, REST, E, HOLD], False),
        ("last", [C, HOLD, E, REST, HOLD, D], False),
    ],
)
def test_each_lock_on_examples(name: str, candidate: list[int], expected: bool):
    assert allowed(name, candidate) is expected
    assert allowed(name, ORIGINAL)


def test_the_key_lock_allows_old_notes_outside_the_key_but_no_new_ones():
    assert allowed("key", [CIS, HOLD, E, HOLD], [CIS, HOLD, D, HOLD])
    assert not allowed("key", [HOLD, CIS, E, HOLD], [CIS, HOLD, D, HOLD])


def test_range_is_the_melodys_compass():
    assert allowed("range", [C, HOLD, E, D], lowest=C, highest=E)
    assert not allowed("range", [C, HOLD, G, D], lowest=C, highest=E)
    assert not allowed("range", [C, HOLD, E, REST], lowest=D, highest=G)
    assert allowed("range", [REST, HOLD, HOLD, HOLD], lowest=C, highest=E)


def test_the_first_and_last_locks_keep_a_measure_without_notes_empty():
    for name in ("first", "last"):
        assert allowed(name, [HOLD, REST], [REST, HOLD])
        assert not allowed(name, [C, HOLD], [REST, HOLD])


def test_without_locks_all_is_allowed_and_several_locks_apply_together():
    one, other = np.array([ORIGINAL], dtype=np.int16), np.array([[REST, G, G, G, G, CIS]], dtype=np.int16)
    assert Locks().allow(one, other).all()
    assert Locks(frozenset(NAMES), C, E).allow(one, one).all()
    assert Locks(frozenset(NAMES)).allow(one[:0], one[:0]).shape == (0,)


def test_in_key_accepts_the_white_keys():
    white = [t for t in range(2, VOCABULARY) if pitch_of(t) % 12 in (0, 2, 4, 5, 7, 9, 11)]
    assert np.flatnonzero(in_key(np.arange(VOCABULARY))).tolist() == white


def test_opening_allowed_and_ends_in():
    made = np.array([[C, HOLD], [HOLD, HOLD], [D, REST]], dtype=np.int16)
    assert ends_in(made).tolist() == [C, HOLD, REST]

    def allowed_by(tie: int, candidates: Rows, original: list[int]) -> list[bool]:
        ties, originals = np.full(len(candidates), tie, dtype=np.int8), np.array([original] * len(candidates))
        found: list[bool] = opening_allowed(candidates, originals, ties).tolist()
        return found

    assert allowed_by(0, made, [C, D]) == [True, True, True]
    assert allowed_by(1, made, [C, D]) == [False, True, False]
    assert allowed_by(-1, made, [C, D]) == [True, False, True]
    upbeats = np.array([[REST, C], [REST, HOLD], [D, C]], dtype=np.int16)
    assert allowed_by(UPBEAT, upbeats, [REST, D]) == [True, True, False]  # the silence before the upbeat stays


def test_parse():
    assert parse([]) == frozenset()
    assert parse(["key, range", "first", "key,"]) == {"key", "range", "first"}


@pytest.mark.parametrize(
    ("name", "remedy"), [("onset", "did you mean onsets?"), ("xyz", f"the locks are {', '.join(NAMES)}")]
)
def test_an_unknown_lock(name: str, remedy: str):
    with pytest.raises(UsageError, match="there is no lock") as raised:
        parse(["key", name])
    assert raised.value.remedy == remedy


# ------------------------------------------------------------------------------------ what they freeze


@pytest.mark.parametrize(("names", "frozen"), FROZEN)
@settings(max_examples=60)
@given(st.data())
def test_frozen_attributes_cannot_change(names: set[str], frozen: tuple[str, ...], data: st.DataObject):
    """Measures that differ as far as the locks let them."""
    meter = Meter(3)
    original = data.draw(rows(meter))
    pitches = st.integers(token_of(60), token_of(84))
    candidates = [original.copy()]
    for _ in range(30):
        candidate = candidates[-1].copy()
        tick = data.draw(st.integers(0, meter.ticks - 1))
        candidate[tick] = data.draw(st.sampled_from([HOLD, REST, *original.tolist()]) | pitches)
        if Locks(frozenset(names)).allow(original[None], candidate[None])[0]:
            candidates.append(candidate)
    for name in frozen:
        values = BUILT_IN[name].function(np.array(candidates), meter)
        assert np.ptp(values) < 1e-9


@pytest.mark.parametrize(
    ("locks", "target"),
    [(["onsets"], "density"), (["onsets", "key"], "rhythm"), (["onsets"], "syncopation"), (["pitches"], "range"),
     (["pitches"], "contour"), (["first,last"], "contour"), (["onsets,pitches"], "steps")],
)  # fmt: skip
def test_a_request_for_a_frozen_attribute_is_refused(locks: list[str], target: str):
    with pytest.raises(UsageError, match=f"{target} cannot change while") as raised:
        bach().request({target: "+1"}, lock=locks)
    assert f"leave out {target}=... or lock=" in raised.value.remedy


def test_requests_for_other_attributes_are_accepted():
    for locks, targets in (({"onsets"}, "contour range pitch steps"), ({"pitches"}, "density rhythm pitch repetition"),
                           ({"first"}, "contour"), ({"key", "range"}, " ".join(BUILT_IN))):  # fmt: skip
        expect_room(locks, targets.split())


# ------------------------------------------------------------------------------------ in an edit


@lru_cache
def bach():
    return load("bach")


def events(row) -> list[tuple[int, int]]:
    return [(tick, token) for tick, token in enumerate(row.tolist()) if token != HOLD]


def broken(name: str, before, after, compass: tuple[int, int]) -> bool:
    """Whether a measure has left what a lock holds, by its events."""
    old, new = events(before), events(after)
    old_notes, new_notes = ([e for e in found if e[1] != REST] for found in (old, new))
    if name == "onsets":
        return [(t, p == REST) for t, p in old] != [(t, p == REST) for t, p in new]
    if name == "pitches":
        once = [[p for i, p in enumerate(ps) if i == 0 or ps[i - 1] != p] for ps in
                ([p for _, p in old_notes], [p for _, p in new_notes])]  # fmt: skip
        return once[0] != once[1]
    if name == "key":
        return any(pitch_of(p) % 12 in (1, 3, 6, 8, 10) for t, p in set(new_notes) - set(old_notes))
    if name == "range":
        return any(not compass[0] <= p <= compass[1] for _, p in new_notes)
    at = slice(0, 1) if name == "first" else slice(-1, None)
    return old_notes[at] != new_notes[at]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8)
@given(st.lists(rows(Meter(3)), min_size=2, max_size=3))
def test_no_edit_breaks_its_lock(name: str, which: int, drawn):
    made = canonical(drawn)
    bars = tuple(Bar(n, "3/4", n * 1440, n * 1440 + 1440, Meter(3), row) for n, row in enumerate(made, 1))
    melody = Melody("drawn", bars, 0, 0)
    targets = [{"density": "-3notes", "contour": "+5st"}, {"rhythm": "-1", "range": "+4st"}][which]
    for _, frozen in (row for row in FROZEN if row[0] == {name}):
        targets = {target: text for target, text in targets.items() if target not in frozen}
    result = bach().edit(melody, lock=[name], proposals=16, seed=which, **targets)
    pitches = [p for row in made for _, p in events(row) if p != REST] or [LOWEST, HIGHEST]
    for before, after in zip(made, result.melody.rows, strict=True):
        assert not broken(name, before, after, (min(pitches), max(pitches)))
