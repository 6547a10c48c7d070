"""Melodies to latent points and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import arvae_music
from arvae_music.errors import UsageError
from arvae_music.music.meter import Meter
from arvae_music.music.reasons import Reason
from arvae_music.music.tokens import HOLD

ODE = Path(arvae_music.__file__).parent / "data" / "ode_to_joy.mid"


@pytest.fixture(scope="module")
def model():
    return arvae_music.load("bach")


@pytest.fixture(scope="module")
def song():
    return arvae_music.read(ODE)


def test_the_packaged_melody_comes_back(model, song):
    """Every measure but the one that begins with a tied note: a measure's point does not hold its neighbour's note."""
    latents = model.encode(song)
    back = model.decode(latents, song)
    assert latents.mean.shape == (16, model.runtime.latent)
    assert latents.measures.tolist() == list(range(16))
    assert set(latents.meters.tolist()) == {Meter(4).code}
    differ = [i for i, (a, b) in enumerate(zip(back.rows, song.melody.rows, strict=True)) if (a != b).any()]
    assert differ == [i for i, row in enumerate(song.melody.rows) if row[0] == HOLD]
    assert (back.rows[differ[0]][1:] == song.melody.rows[differ[0]][1:]).all()
    assert back.shift == song.melody.shift


def test_an_attribute_has_its_codes(model, song):
    latents = model.encode(song.melody)
    dimension = model.metadata.scale("density").dimension
    assert (latents["density"] == latents.mean[:, dimension]).all()
    with pytest.raises(KeyError, match="'steps' has no latent dimension"):
        latents["steps"]


def test_a_moved_code_moves_the_attribute(model, song):
    latents = model.encode(song)
    moved = latents.mean.copy()
    moved[:, latents.dimensions["density"]] += 1.5
    denser = model.decode(replace(latents, mean=moved), song)
    assert len(denser.notes) > len(song.melody.notes) + 8


def test_arrays_need_meters(model, song):
    latents = model.encode(song)
    free = model.decode(latents)
    assert [row.tolist() for row in free.rows] == [row.tolist() for row in model.decode(latents, song).rows]
    for meters in ("4/4", ["4/4"] * 16):
        again = model.decode(latents.mean, meters=meters)
        assert [row.tolist() for row in again.rows] == [row.tolist() for row in free.rows]
    waltz = model.decode(latents.mean[:2], meters=["3/4", "4/4"])
    assert [len(row) for row in waltz.rows] == [18, 24]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({}, 'give meters="4/4"'),
        ({"meters": "17/8"}, "unsupported meter"),
        ({"meters": ["4/4"]}, "16 latent points have 1 meters"),
    ],
)
def test_meters_that_do_not_fit(model, song, change, what: str):
    with pytest.raises(UsageError, match=what):
        model.decode(model.encode(song).mean, **change)


def test_points_of_another_size_or_melody(model, song):
    with pytest.raises(UsageError, match=r"shape \(2, 3\)"):
        model.decode(np.zeros((2, 3)), meters="4/4")
    with pytest.raises(UsageError, match="no measure in 3/4 at index 0"):
        model.decode(model.encode(song).mean, song, meters="3/4")
    short = replace(song.melody, bars=song.melody.bars[:3])
    with pytest.raises(UsageError, match="at index 3"):
        model.decode(model.encode(song), short)


def test_what_cannot_be_read_is_left_out(model, song):
    bars = list(song.melody.bars)
    bars[1] = replace(bars[1], tokens=None, reason=Reason.TWO_AT_ONCE)
    broken = replace(song.melody, bars=tuple(bars))
    latents = model.encode(broken)
    assert latents.measures.tolist() == [0, *range(2, 16)]
    assert model.decode(latents, broken).rows[1] is None
    empty = model.encode(replace(song.melody, bars=()))
    assert empty.mean.shape == (0, model.runtime.latent)
