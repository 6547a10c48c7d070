"""Results by name and in units, as tables and as pictures; what prints them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import arvae_music
from arvae_music.errors import OutputError

ODE = Path(arvae_music.__file__).parent / "data" / "ode_to_joy.mid"


@pytest.fixture(scope="module")
def result():
    return arvae_music.edit(ODE, density="+2notes", keep="contour", bars="1-4", model="bach", proposals=8)


def notes_in(melody, bars):
    """Onsets a measure, counted on the file's notes and not by the attribute."""
    return np.mean([sum(note.measure == i for note in melody.notes) for i in range(bars)])


def test_an_attribute_by_name_is_in_notes(result):
    density = result["density"]
    assert density.unit == "notes"
    assert density.before == pytest.approx(notes_in(result.original, 4))
    assert density.achieved == pytest.approx(notes_in(result.melody, 4))
    assert density.asked == pytest.approx(density.before + 2)
    assert (density.exact, density.measures, density.hits) == (True, 4, 4)
    assert result["contour"].asked is None
    assert result["contour"].unit == "st"
    assert result["contour"].achieved == pytest.approx(result["contour"].before)
    assert list(result) == list(result.names) == ["rhythm", "range", "density", "contour"]
    with pytest.raises(KeyError, match="'densty' was not measured"):
        result["densty"]


def test_a_request_beyond_the_corpus_is_not_exact():
    found = arvae_music.edit(ODE, density="=30notes", bars="1", model="bach", proposals=4)["density"]
    assert found.asked == pytest.approx(30)
    assert found.achieved < 30
    assert not found.exact


def test_a_result_without_measures_has_no_means():
    found = arvae_music.edit(arvae_music.read(ODE).melody.__class__("none", (), 0, 0), density=1, model="bach")
    assert np.isnan(found["density"].before)
    assert found["density"].measures == 0
    assert found.to_frame().empty


def test_the_table_has_a_row_a_measure_and_attribute(result):
    table = result.to_frame()
    assert len(table) == 4 * 4
    density = table[table["attribute"] == "density"]
    assert density["measure"].tolist() == [1, 2, 3, 4]
    assert density["achieved"].mean() == pytest.approx(result["density"].achieved)
    assert (density["unit"] == "notes").all()
    assert density["exact"].all()


def test_without_pandas_the_error_says_what_to_do(result, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(arvae_music.ExtraError, match=r'run: pip install "arvae\[pandas\]"'):
        result.to_frame()


def test_what_is_printed_is_short(result):
    model = arvae_music.load("bach")
    for thing in (model, model.encode(ODE_SONG), result, result.melody, result.song, arvae_music.inspect(ODE)):
        assert len(repr(thing)) < 200
        assert repr(thing).startswith("<")
    assert "density" in repr(model)
    assert "4 of 4 measures changed; density" in repr(result)


ODE_SONG = arvae_music.read(ODE)


def test_notebooks_show_piano_rolls(result):
    for thing in (result, result.melody, result.song, arvae_music.inspect(ODE)):
        page = thing._repr_html_()
        assert "<svg" in page
        assert page.count("<rect") > 10
    assert result._repr_html_() != result.melody._repr_html_()


def test_saving_keeps_the_file_and_makes_one_for_a_melody_alone(result, tmp_path: Path):
    result.save(tmp_path / "kept.mid")
    kept = arvae_music.read(tmp_path / "kept.mid")
    assert len(kept.candidates) == len(result.song.candidates) > 1
    assert kept.melody.notes == result.melody.notes
    with pytest.raises(OutputError):
        arvae_music.save(tmp_path / "kept.mid", result)
    arvae_music.save(tmp_path / "kept.mid", result, overwrite=True)
    alone = arvae_music.edit(result.original, density="+2notes", bars="1-2", model="bach", proposals=4)
    alone.save(tmp_path / "alone.mid")
    arvae_music.save(tmp_path / "melody.mid", alone.melody)
    for name in ("alone", "melody"):
        new = arvae_music.read(tmp_path / f"{name}.mid")
        assert len(new.candidates) == 1
        assert new.melody.notes == alone.melody.notes
