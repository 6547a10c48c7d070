"""The files of a batch of edits, as Python users make them."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path

from arvae_music import library
from arvae_music.io.score_output import file_of
from arvae_music.io.scores import read_any
from arvae_music.reports.edit_files import EditFiles
from arvae_music.system.outputs import Request, plan_outputs


def test_a_batch_of_edits_from_python(melody: Path, tiny_model_path: Path) -> None:
    load = partial(library.load, tiny_model_path)
    request = load().request({"density": "+1notes"}, seed=3)
    work = pickle.loads(pickle.dumps(EditFiles(load, request, {"voice": "top"}, data=True, cards=True)))
    (plan,) = plan_outputs([Request(melody, "denser", 3)], f"{melody.parent}/out/")
    report = work(plan)
    song = read_any(melody)
    edited = load().edit(song, density="+1notes", seed=3).melody
    assert Path(plan.place).read_bytes() == file_of(song, edited, ".mid") != melody.read_bytes()
    assert report.rows[0]["file"] == Path(plan.place).name
    assert report.data[0]["output"] == str(plan.place)
    assert report.lines[-1] == f"  wrote {plan.place}"
    assert len(report.cards) == 1
    assert not report.contents


def test_an_output_to_skip_is_left_alone(melody: Path, tiny_model_path: Path) -> None:
    work = EditFiles(partial(library.load, tiny_model_path), library.load(tiny_model_path).request({"density": "+1"}))
    out = melody.with_name("out.mid")
    out.write_bytes(b"an earlier result")
    (plan,) = plan_outputs([Request(melody)], str(out), skip_existing=True)
    assert work(plan) is False
    assert out.read_bytes() == b"an earlier result"
