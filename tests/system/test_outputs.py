"""The inputs and the outputs of a batch: which files are found, and where the results go."""

from __future__ import annotations

from pathlib import Path

import pytest

from arvae_music.errors import OutputError, UsageError
from arvae_music.system.inputs import below, expand_inputs, folders_in
from arvae_music.system.outputs import Planned, Request, fill, plan_outputs, safe_name


@pytest.fixture
def songs(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "b.mid",
        "a.mid",
        "take [1].mid",
        "deep/c.MID",
        "deep/er/d.abc",
        "deep/._c.mid",
        "deep/notes.txt",
    ):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).touch()
    monkeypatch.chdir(work)
    return work


def names(arguments: list[str], *, recursive: bool = False) -> list[str]:
    return [Path(place).as_posix() for place in expand_inputs(arguments, recursive=recursive)]


def test_an_input_keeps_its_sub_folder_of_the_first_named_folder_that_holds_it(songs: Path) -> None:
    folders = folders_in(["a.mid", "deep", "deep/er"])
    assert folders == [Path("deep"), Path("deep/er")]
    places = (Path("deep/er/d.abc"), Path("deep/c.MID"), Path("a.mid"), "-")
    assert [below(place, folders) for place in places] == [Path("er"), Path(), Path(), Path()]


def test_globs_are_expanded_by_the_program_sorted_and_once(songs: Path) -> None:
    assert names(["*.mid"]) == ["a.mid", "b.mid", "take [1].mid"]
    assert names(["b.mid", "*.mid", "./a.mid"]) == ["b.mid", "a.mid", "take [1].mid"]
    assert names(["**/*.MID"]) == ["deep/c.MID"]


def test_a_name_that_exists_is_no_glob(songs: Path) -> None:
    assert names(["take [1].mid"]) == ["take [1].mid"]


def test_folders_are_searched_for_music_only_when_asked(songs: Path) -> None:
    assert names(["deep"], recursive=True) == ["deep/c.MID", "deep/er/d.abc"]
    with pytest.raises(UsageError, match="deep: is a folder; give recursive=True"):
        expand_inputs(["deep"])
    (songs / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no MIDI file or score"):
        expand_inputs(["empty"], recursive=True)


def test_standard_input_is_a_dash(songs: Path) -> None:
    assert expand_inputs(["-", "a.mid", "-"]) == ["-", Path("a.mid")]


# ---------------------------------------------------------------------------------------- outputs

A, B = Request(Path("a.mid"), "density+1.5", 7, 1), Request(Path("b.mid"), "density+1.5", 7, 2)


def places(requests: list[Request], *arguments: str, **options: bool) -> list[str]:
    return [Path(plan.place).as_posix() for plan in plan_outputs(requests, *arguments, **options)]


def test_outputs_lie_beside_their_inputs_named_after_the_edit() -> None:
    assert places([Request(Path("songs/a.mid"), "density+1.5")]) == ["songs/a.density+1.5.mid"]


def test_an_output_may_be_a_file_a_folder_or_a_template(songs: Path) -> None:
    assert places([A], "x.mid") == ["x.mid"]
    assert places([A, B], "out/") == ["out/a.density+1.5.mid", "out/b.density+1.5.mid"]
    assert places([A], "deep") == ["deep/a.density+1.5.mid"]
    assert places([A, B], "out/{stem}-{seed}-{n:03}.mid") == ["out/a-7-001.mid", "out/b-7-002.mid"]


def test_standard_input_goes_to_standard_output_unless_named() -> None:
    assert places([Request("-", "e")]) == ["-"]
    assert places([Request("-", "e")], "out/") == ["out/stdin.e.mid"]
    assert places([A], "-") == ["-"]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("x.mid", r"a.mid and b.mid would both be written to x.mid; .*\{stem\}"),
        ("-", "would both be written to stdout"),
        ("{edit}.mid", "would both be written"),
        ("{stm}.mid", r"no field \{stm\}; did you mean \{stem\}\?"),
        ("{zzzz}.mid", r"the fields are \{stem\} \{edit\} \{seed\} \{n\}"),
        ("{stem.__class__}.mid", "no field"),
        ("{}.mid", "no field"),
        ("{stem", "does not parse"),
        ("{stem:d}.mid", "does not parse"),
        ("out", "write out/ for a folder or out.mid"),
    ],
)
def test_outputs_that_cannot_be_are_refused_before_any_work(output: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan_outputs([A, B], output)


def test_two_edits_of_one_input_need_two_names() -> None:
    with pytest.raises(UsageError, match=r"two results of a.mid .*\{n\}"):
        plan_outputs([A, Request(A.source, "contour-1", 7, 2)], "{stem}.mid")


def test_nothing_is_overwritten_unless_asked(songs: Path) -> None:
    (songs / "x.mid").touch()
    with pytest.raises(OutputError, match="exists already; give overwrite=True, skip_existing=True, or"):
        plan_outputs([A], "x.mid")
    assert plan_outputs([A], "x.mid", overwrite=True) == [Planned(A, Path("x.mid"), False, True)]
    assert plan_outputs([A], "x.mid", skip_existing=True)[0].skip
    with pytest.raises(UsageError, match="exclude each other"):
        plan_outputs([A], "x.mid", overwrite=True, skip_existing=True)


def test_an_input_is_replaced_only_by_its_own_result_and_when_asked(songs: Path) -> None:
    with pytest.raises(UsageError, match="is the input itself"):
        plan_outputs([A], "./a.mid")
    assert places([A, B], "{stem}.mid", overwrite=True) == ["a.mid", "b.mid"]
    with pytest.raises(UsageError, match="which is an input too"):
        plan_outputs([Request(Path("a.mid"), "b"), Request(Path("b.mid"), "c")], "{edit}.mid", overwrite=True)


def test_edits_become_safe_names() -> None:
    assert safe_name("density+1.5") == "density+1.5"
    assert safe_name("0:+0,8:+2") == "0-+0,8-+2"
    assert safe_name("../../etc/passwd") == "etc-passwd"
    assert safe_name("a\nb\x00c d") == "a-b-c-d"
    assert safe_name("???") == "edit"
    assert len(safe_name("x" * 500)) <= 80
    assert safe_name("x" * 500) != safe_name("x" * 501)
    assert fill("{stem}.{edit}.mid", Request(Path("a.b.mid"), "x/y")) == "a.b.x-y.mid"


def test_a_file_that_appears_after_planning_is_not_overwritten(tmp_path: Path) -> None:
    plan = Planned(Request(Path("a.mid")), tmp_path / "x.mid")
    (tmp_path / "x.mid").write_bytes(b"somebody else's")
    with pytest.raises(OutputError, match="exists already"):
        plan.write(b"ours")
    assert (tmp_path / "x.mid").read_bytes() == b"somebody else's"
