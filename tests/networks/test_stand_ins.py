"""Meters that stand in for those that a model does not know."""

from __future__ import annotations

import numpy as np
import pytest

from arvae_music.library import load
from arvae_music.music.meter import Meter, all_meters
from arvae_music.music.stand_ins import known_meters, parts_for
from arvae_music.music.tokens import HOLD, VOCABULARY
from arvae_music.networks.decoding import ProbabilityCache, decode, log_probabilities
from arvae_music.networks.model import Model

FOLK = known_meters(["3/8", "2/4", "6/8", "3/4", "9/8", "4/4", "12/8", "6/4"])
SIMPLE = known_meters(["3/4", "4/4", "6/4"])


@pytest.mark.parametrize(
    ("meter", "known", "parts"),
    [
        ("4/4", FOLK, "4/4"),
        ("12/16", FOLK, "12/8"),
        ("3/16", FOLK, "3/8"),
        ("5/4", FOLK, "3/4 2/4"),
        ("7/4", FOLK, "4/4 3/4"),
        ("7/8", FOLK, "4/4 3/4"),
        ("8/4", FOLK, "4/4 4/4"),
        ("4/1", FOLK, "4/4 4/4 4/4 4/4"),
        ("15/8", FOLK, "9/8 6/8"),
        ("1/4", FOLK, "2/4"),
        ("1/8", FOLK, "2/4"),
        ("2/4", SIMPLE, "3/4"),
        ("5/4", SIMPLE, "3/4 3/4"),
        ("6/8", SIMPLE, "3/4"),
        ("12/8", SIMPLE, "4/4"),
        ("7/4", known_meters(["7/8"]), "7/8"),
    ],
)
def test_the_meters_that_stand_in(meter: str, known: tuple[Meter, ...], parts: str) -> None:
    assert " ".join(part.name for part in parts_for(Meter.parse(meter), known)) == parts


@pytest.mark.parametrize("known", [FOLK, SIMPLE, known_meters(["7/8"]), known_meters(["12/8", "3/8"])])
def test_the_parts_cover_every_meter_and_none_is_idle(known: tuple[Meter, ...]) -> None:
    for meter in all_meters():
        beats = [part.beats for part in parts_for(meter, known)]
        assert sum(beats) - beats[-1] < meter.beats <= sum(beats)


def test_meters_of_a_later_version_are_ignored() -> None:
    assert known_meters(["4/4", "33/32", "fast"]) == (Meter(4),)
    assert parts_for(Meter(7), ()) == (Meter(7),)


@pytest.fixture(scope="module")
def folk() -> Model:
    return load("folk")


@pytest.mark.parametrize("meter", all_meters(), ids=lambda meter: meter.name)
def test_every_meter_can_be_encoded_and_decoded(meter: Meter, folk: Model) -> None:
    random = np.random.default_rng(meter.code)
    rows = np.full((3, meter.ticks), HOLD, dtype=np.int16)
    rows[:, 0], rows[:, meter.ticks // 2] = 26, random.integers(20, 40, 3)
    z = folk.runtime.encode(rows, meter)
    assert z.shape == (3, folk.runtime.latent)
    decoded = decode(folk.runtime, z, meter)
    assert decoded.shape == rows.shape
    assert ((decoded >= 0) & (decoded < VOCABULARY)).all()
    table = log_probabilities(folk.runtime, rows, meter, z)
    assert np.allclose(np.exp(table).sum(axis=2), 1, atol=1e-4)
    assert np.allclose(log_probabilities(folk.runtime, rows, meter), ProbabilityCache(folk.runtime, meter)(rows))
    assert folk.moved(z, np.zeros((3, len(folk.specs))), np.full((3, len(folk.specs)), np.nan), meter).shape == z.shape


def test_a_measure_is_read_like_the_measures_that_it_consists_of(folk: Model) -> None:
    """A measure in 7/4 has the latent point halfway between those of its 4/4 and its 3/4 part, and 7/8 the same."""
    seven, four, three = Meter(7), Meter(4), Meter(3)
    random = np.random.default_rng(1)
    rows = np.where(random.random((5, 42)) < 0.3, random.integers(20, 40, (5, 42)), HOLD).astype(np.int16)
    rows[:, 0] = 30
    parts = [folk.runtime.encode(rows[:, :24], four), folk.runtime.encode(rows[:, 24:], three)]
    assert np.allclose(folk.runtime.encode(rows, seven), np.mean(parts, axis=0), atol=1e-6)
    assert np.array_equal(folk.runtime.encode(rows, Meter.parse("7/8")), folk.runtime.encode(rows, seven))
    z = folk.runtime.encode(rows, seven)
    first = decode(folk.runtime, z, seven)[:, :24]
    assert np.array_equal(first, decode(folk.runtime, z, four))


def test_a_known_meter_has_no_stand_in(folk: Model) -> None:
    known = [Meter.parse(name) for name in folk.metadata.meters]
    assert folk.stand_ins(known) == {}
    assert folk.stand_ins([Meter(4), Meter.parse("5/8"), Meter.parse("5/8")]) == {"5/8": ("3/4", "2/4")}
