"""Corpora: golden measures of hand-written scores, real builds in real processes, and what ends one early."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
from fractions import Fraction
from functools import partial
from pathlib import Path

import mido
import numpy as np
import pyarrow.parquet as pq
import pytest

from arvae_music.corpora import bach, build, describe, extraction, folder, folk, registry, store
from arvae_music.corpora.corpus import Bar, Corpus, Extracted, Tune, Work
from arvae_music.errors import CorpusError
from arvae_music.io import abc, music21_parts, notation
from arvae_music.io.midi import Song
from arvae_music.io.scores import read_any
from arvae_music.music.attributes import PAPER, evaluate, find
from arvae_music.music.meter import MAX_TICKS, Meter
from arvae_music.music.tokens import HOLD, PAD, REST, pitch_of
from arvae_music.vae.examples import PARTS, split

CHORALES = ("bwv66.6", "bwv277", "bwv114.7")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_cache_is_where_the_settings_say(tmp_path, monkeypatch):
    monkeypatch.delenv("ARVAE_CACHE")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "arvae.toml").write_text('cache = "kept"\n')
    assert store.cache_folder() == tmp_path / "kept" / "corpora"
    monkeypatch.setenv("ARVAE_CACHE", str(tmp_path / "elsewhere"))
    assert store.cache_folder() == tmp_path / "elsewhere" / "corpora"


def spell(bar: Bar, tune: Tune) -> str:
    """A measure as sounding MIDI pitches, `-` for HOLD and `z` for REST: what a reader compares with a score."""
    signs = {HOLD: "-", REST: "z"}
    return " ".join(signs.get(t) or str(pitch_of(t) - tune.shift) for t in bar.tokens.tolist())


def read(text: str) -> Extracted:
    score = abc.read_score(text)
    return extraction.extract_tune(score.parts[0], Work(Path("x.abc"), "x"), score.title)


def spelled(text: str) -> list[str]:
    found = read(text)
    assert found.tune is not None, found.rejected
    return [spell(bar, found.tune) for bar in found.tune.examples]


# ------------------------------------------------------------------------------------- golden ABC


HEAD = "X:1\nT:Test\nM:{}\nL:1/8\nK:{}\n"

GOLDEN_ABC = {
    # two sharps sound in the second measure; the pickup is no measure
    "pickup and key": (
        HEAD.format("4/4", "D") + "A2|d2f2 c4|B8|",
        ["74 - - - - - 78 - - - - - 73 - - - - - - - - - - -", "71 " + "- " * 22 + "-"],
    ),
    "triplets": (HEAD.format("2/4", "C") + "(3CDE C2|C4|", ["60 - 62 - 64 - 60 - - - - -", "60" + " -" * 11]),
    "broken rhythm": (HEAD.format("2/4", "C") + "C>D E<F|", ["60 - - - - 62 64 65 - - - -"]),
    "jig": (HEAD.format("6/8", "C") + "CDE C/D/E z|", ["60 - 62 - 64 - 60 62 64 - z -"]),
    "tie over the barline": (HEAD.format("2/4", "C") + "C2 E2-|E2 D2|", ["60" + " -" * 5 + " 64" + " -" * 5,
                                                                        "-" + " -" * 5 + " 62" + " -" * 5]),
    "a tie between two pitches is a slur": (HEAD.format("2/4", "C") + "C2-D2|", ["60" + " -" * 5 + " 62" + " -" * 5]),
    "an accidental holds to the barline": (
        HEAD.format("2/4", "C") + "^FF z2|FF z2|",
        ["66 - - 66 - - z - - - - -", "65 - - 65 - - z - - - - -"],
    ),
    "and over it, where the note is tied": (
        HEAD.format("2/4", "C") + "z2 ^F2-|FF z2|",
        ["z" + " -" * 5 + " 66" + " -" * 5, "- - - 65 - - z - - - - -"],
    ),
    "a note before a double repeat is no field": (
        HEAD.format("2/4", "C") + "C2 DF::C4:|",
        ["60 - - - - - 62 - - 65 - -", "60" + " -" * 11],
    ),
    "grace notes and chord symbols are not there": (
        HEAD.format("2/4", "C") + '"Am"{DE}C2 {F}E2|',
        ["60" + " -" * 5 + " 64" + " -" * 5],
    ),
    "cut time is four beats": (HEAD.format("C|", "C") + "C8|", ["60" + " -" * 23]),
    "a change of meter": (
        HEAD.format("2/4", "C") + "C4|\nM:3/4\nD6|",
        ["60" + " -" * 11, "62" + " -" * 17],
    ),
    "halves around a repeat are one measure": (
        HEAD.format("2/4", "C") + "C4|D3:|\n|:E|F4|",
        ["60" + " -" * 11, "62" + " -" * 8 + " 64 - -", "65" + " -" * 11],
    ),
    "first of two voices": (HEAD.format("2/4", "C") + "[V:1] C4|\n[V:2] C,4|\n[V:1] D4|\n[V:2] D,4|",
                            ["60" + " -" * 11, "62" + " -" * 11]),
}  # fmt: skip


@pytest.mark.parametrize("name", GOLDEN_ABC)
def test_golden_abc(name):
    text, expected = GOLDEN_ABC[name]
    assert spelled(text) == expected


SKIPPED = {
    extraction.INCOMPLETE: "G2|C4|C2|C4|",
    "two halves of first and second endings": "G2|C4|1 C2:|2 D2|",
    extraction.OVERFULL: "C4|C8|",
    "two notes at once": "C4|[CE]4|",
    "off-grid rhythm": "C4|C/4D/4E/4F/4 C3|",
    extraction.SILENT: "C4|z4|",
    "unsupported meter 17/8": "C4|\nM:17/8\nC8C8C|",
}


@pytest.mark.parametrize("reason", SKIPPED)
def test_what_does_not_fit_is_counted_by_reason(reason):
    found = read(HEAD.format("2/4", "C") + SKIPPED[reason])
    expected = {
        extraction.INCOMPLETE: {extraction.INCOMPLETE: 2},
        "two halves of first and second endings": {extraction.INCOMPLETE: 3},
    }.get(reason, {reason: 1})
    assert dict(found.skips) == expected


def test_a_pitch_two_octaves_from_the_rest_is_out_of_range():
    found = read(HEAD.format("2/4", "C") + "C4|C4|C4|C4|c'''4|")
    assert dict(found.skips) == {"pitch out of range": 1}


def test_a_tune_is_brought_to_c_and_knows_the_way_back():
    in_c, in_e = (read(HEAD.format("4/4", key) + notes).tune for key, notes in (("C", "CDEF G4|"), ("E", "EFGA B4|")))
    assert [b.tokens.tolist() for b in in_c.bars] == [b.tokens.tolist() for b in in_e.bars]
    assert (in_c.fifths, in_e.fifths) == (0, 4)
    assert spell(in_e.bars[0], in_e).split()[0] == "64"


def test_measures_are_counted_as_people_count():
    pickup = read(HEAD.format("2/4", "C") + "G2|C4|D4|").tune
    assert [bar.number for bar in pickup.bars] == [0, 1, 2]
    assert [bar.number for bar in pickup.examples] == [1, 2]
    assert [bar.number for bar in read(HEAD.format("2/4", "C") + "C4|D4|").tune.bars] == [1, 2]


def test_no_notes_and_no_measures_are_reasons():
    assert read(HEAD.format("2/4", "C") + "z4|z4|").rejected == "no notes"
    assert "mostly " + extraction.INCOMPLETE in read(HEAD.format("2/4", "C") + "C|").rejected


def test_a_collection_is_split_and_its_header_shared(tmp_path):
    text = "%abc\nL:1/8\n\nX:1\nT:One\nM:2/4\nK:C\nC4|\n\nX: 2\r\nT:Two\r\nM:2/4\r\nK:C\r\nD4|\r\n"
    tunes = abc.split_collection(text)
    assert [abc.read_score(tune).title for tune in tunes] == ["One", "Two"]
    assert spelled(tunes[1]) == ["62" + " -" * 11]
    assert abc.split_collection("K:C\nC4|") == ["K:C\nC4|"]
    (tmp_path / "latin.abc").write_bytes("T:Bäuerin".encode("latin-1"))
    assert abc.tunes_of(tmp_path / "latin.abc") == ["T:Bäuerin"]


@pytest.mark.parametrize("at", range(140, 4000, 665))
def test_abc_tokens_and_music21s_streams_agree(at):
    """music21's own way from text to score is the oracle. It drops notes marked `">"`, moves barlines where a measure
    overflows, and forgets a broken rhythm after a grace note or a slur: none of that is in these tunes."""
    from music21 import converter

    work = folk.works()[at]
    text = "%abc-2.1\n" + abc.tunes_of(work.path)[work.tune]
    ours = abc.read_score(text).parts[0]
    theirs = music21_parts.read_part(converter.parse(text, format="abc", forceSource=True).parts[0])
    assert notation.tied(ours.sounds) == notation.tied(theirs.sounds)
    lengths = [[(m.length, m.fifths) for m in extraction.joined(part.measures)] for part in (ours, theirs)]
    assert lengths[0] == lengths[1]


# --------------------------------------------------------------------------------------- music21


def test_a_music21_part_is_read_exactly():
    from music21 import chord, key, meter, note, stream, tie

    first = stream.Measure(number=1)
    first.append([meter.TimeSignature("3/4"), key.KeySignature(1)])
    tied = note.Note("G4", quarterLength=1)
    tied.tie = tie.Tie("start")
    grace = note.Note("A4").getGrace()
    first.append([note.Note("D4", quarterLength=Fraction(1, 3)), grace, note.Rest(quarterLength=Fraction(5, 3)), tied])
    second = stream.Measure(number=2)
    stop = note.Note("G4", quarterLength=2)
    stop.tie = tie.Tie("stop")
    second.append([stop, chord.Chord(["C4", "E4"], quarterLength=1)])
    part = stream.Part([first, second])
    found = music21_parts.read_part(part)
    assert [(n.start, n.end, n.pitch) for n in notation.tied(found.sounds)] == [
        (0, Fraction(1, 3), 62),
        (2, 5, 67),
        (5, 6, 60),
        (5, 6, 64),
    ]
    assert [(m.number, m.start, m.length, m.signature, m.fifths, m.complete) for m in found.measures] == [
        (1, 0, 3, "3/4", 1, True),
        (2, 3, 3, "3/4", 1, True),
    ]


def test_bach_by_eye():
    """BWV 66.6, soprano, as printed: f#, in 4/4 with a pickup."""
    found = bach.extract(next(work for work in bach.works() if work.id == "bach/bwv66.6"))
    rows = [spell(bar, found.tune) for bar in found.tune.examples]
    assert rows[0] == "69 - - - - - 71 - - - - - 73 - - - - - 76 - - - - -"
    assert rows[2] == "69 - - 71 - - 68 - - - - - 66 - - - - - 69 - - - - -"
    assert len(rows) == 8
    assert dict(found.skips) == {extraction.INCOMPLETE: 2}
    assert found.tune.fifths == 3
    assert found.tune.minor
    assert found.tune.phrased
    assert spell(found.tune.bars[0], found.tune) == "z" + " -" * 17 + " 73 - - 71 - -"
    assert spell(found.tune.bars[-1], found.tune) == "- - - - - - 66 - - 65 - - 66 - - - - - z - - - - -"
    ends = [(bar.number, *bar.phrase_ends) for bar in found.tune.bars if bar.phrase_ends]
    assert ends == [(1, 12), (2, 12), (3, 12), (5, 12), (7, 12), (9, 12)]


def test_the_soprano_is_found_by_name_and_other_scores_are_left_out():
    by_id = {work.id: work for work in bach.works()}
    assert bach.extract(by_id["bach/bwv846"]).rejected == "not in 4 parts"
    assert bach.extract(by_id["bach/bwv1.6"]).rejected == "not in 4 parts"
    assert len(by_id) == 410


# ---------------------------------------------------------------------------------- whole builds


def three_chorales() -> Corpus:
    works = [work for work in bach.works() if work.path.stem in CHORALES]
    return Corpus("three", "three chorales", bach.SOURCE, bach.LICENCE, bach.BIBTEX, lambda: works, bach.extract)


def run(corpus: Corpus, **options) -> Path:
    for _ in build.build(corpus, **options):
        pass
    return store.path_of(corpus.name)


def test_a_build_in_processes_is_the_build_in_this_one(cache, monkeypatch):
    monkeypatch.setattr(build, "BATCH", 1)
    reports = list(build.build(three_chorales(), jobs=2))
    assert [report.done for report in reports] == [0, 1, 2, 3]
    path = cache / "corpora" / "three.parquet"
    assert list(path.parent.iterdir()) == [path]
    first = path.read_bytes()
    assert run(three_chorales(), jobs=1, rebuild=True) == path
    assert path.read_bytes() == first

    data = registry.load("three")
    assert len(data) == reports[-1].measures == data.facts[0].measures
    assert data.inputs.shape == (len(data), 1 + MAX_TICKS)
    assert set(data.piece_names.values()) == {f"bach/{name}" for name in CHORALES}
    assert data.facts[0].licence == bach.LICENCE
    assert data.facts[0].skips[extraction.INCOMPLETE] == sum(
        bach.extract(work).skips[extraction.INCOMPLETE] for work in three_chorales().works()
    )


def test_a_build_is_done_once(cache):
    run(tiny("tiny"), jobs=1)
    with pytest.raises(CorpusError, match="built already; give rebuild=True"):
        run(tiny("tiny"), jobs=1)
    run(tiny("tiny"), jobs=1, rebuild=True)
    other = Corpus("tiny", "", "elsewhere", "", "", lambda: TINY, one_measure)
    with pytest.raises(CorpusError, match="is already the corpus of here; give another name="):
        run(other, jobs=1, rebuild=True)


def one_measure(work: Work) -> Extracted:
    """A tune of its own for each; `copy` is that of work 0, `broken` fails, `kill` takes its process along."""
    if work.path.name == "broken":
        raise ZeroDivisionError("as music21 does")
    if work.path.name == "kill":
        os._exit(1)
    row = np.full(24, HOLD, dtype=np.int16)
    row[0] = 20 + (0 if work.path.name == "copy" else work.tune)
    return Extracted(Tune(work.id, "t", work.path.name, 0, 0, (Bar(1, Meter(4), row),)), {"silent measure": 2})


TINY = [Work(Path("tune"), f"tiny/{n}", n) for n in range(30)]


def tiny(name: str, *extra: str) -> Corpus:
    works = [*TINY, *(Work(Path(kind), f"tiny/{kind}", 0) for kind in extra)]
    return Corpus(name, "tiny", "here", "none", "", lambda: works, one_measure)


def test_broken_works_and_copies_are_counted_not_fatal():
    run(tiny("tiny", "broken", "copy"), jobs=1)
    facts = registry.load_facts("tiny")
    assert facts.rejected == {"cannot be read (ZeroDivisionError)": 1, build.COPY: 1}
    assert facts.examples_of_rejected[build.COPY] == ["tiny/copy"]
    assert (facts.tunes, facts.measures, facts.skips) == (30, 30, {"silent measure": 60})


def left_behind(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, ValueError])
def test_an_interrupted_build_leaves_nothing_and_no_worker(cache, jobs, error):
    before = set(multiprocessing.active_children())
    building = build.build(tiny("tiny"), jobs=jobs)
    assert next(building).done == 0
    assert next(building).done == build.BATCH
    with pytest.raises(error):
        building.throw(error)
    assert left_behind(cache) == []
    assert set(multiprocessing.active_children()) <= before


@pytest.mark.parametrize("rows", [1, 7, 10_000])
def test_a_corpus_is_the_same_however_little_of_it_is_held_at_a_time(rows, monkeypatch):
    run(tiny("whole"), jobs=1)
    monkeypatch.setattr(store, "ROW_GROUP", rows)
    monkeypatch.setattr(build, "BATCH", 3)
    run(tiny("parts"), jobs=1)
    whole, in_parts = (store.read_table(store.path_of(name)) for name in ("whole", "parts"))
    assert in_parts.column("tokens").equals(whole.column("tokens"))
    assert len(whole) == registry.load_facts("parts").measures > 20
    groups = pq.ParquetFile(store.path_of("parts")).num_row_groups
    assert groups == 1 if rows == 10_000 else groups >= len(whole) // (rows + 3)


def test_a_work_that_kills_its_process_is_counted(monkeypatch):
    monkeypatch.setattr(build, "BATCH", 3)
    run(tiny("tiny", "kill", "broken", "copy"), jobs=2)
    facts = registry.load_facts("tiny")
    assert facts.rejected == {build.CRASH: 1, "cannot be read (ZeroDivisionError)": 1, build.COPY: 1}
    assert facts.tunes == 30


def test_when_all_workers_die_it_is_not_the_scores(cache, monkeypatch):
    monkeypatch.setattr(build, "BATCH", 2)
    deadly = Corpus("d", "", "here", "", "", lambda: [Work(Path("kill"), f"d/{n}") for n in range(20)], one_measure)
    with pytest.raises(CorpusError, match=r"worker processes die.*jobs=1"):
        run(deadly, jobs=2)
    assert left_behind(cache) == []


def test_a_cache_that_cannot_be_written(cache):
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file where the folder should be")
    with pytest.raises(CorpusError, match=r"cannot write there.*ARVAE_CACHE"):
        run(tiny("tiny"), jobs=1)


def test_nothing_to_build_from(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CorpusError, match="has no scores"):
        run(folder.corpus(empty), jobs=1)
    only_broken = Corpus("b", "", "here", "", "", lambda: [Work(Path("broken"), "b")], one_measure)
    with pytest.raises(CorpusError, match=r"no measure of 'b' can be used: cannot be read \(ZeroDiv"):
        run(only_broken, jobs=1)


# ------------------------------------------------------------------------------ the registry


@pytest.mark.parametrize("name", registry.built_in())
def test_every_corpus_fills_its_slots(name):
    corpus = registry.built_in()[name]
    assert corpus.name == name
    assert min(map(len, (corpus.description, corpus.source, corpus.licence))) > 10
    entries = re.findall(r"@(\w+)\{(\w+),", corpus.bibtex)
    assert entries
    assert corpus.bibtex.count("{") == corpus.bibtex.count("}")
    for entry in corpus.bibtex.split("\n\n"):
        fields = dict(re.findall(r"^\s*(\w+)\s*= \{(.*)\},?$", entry, re.MULTILINE))
        assert {"author", "title", "year"} <= set(fields)
    works = corpus.works()
    assert len({work.id for work in works}) == len(works) > 100
    assert all(work.path.is_file() for work in works)
    found = corpus.extract(works[10])
    assert found.tune is None or found.tune.id == works[10].id


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bach", "'bach' is not built; run: arvae corpus build bach"),
        ("bahc", "no corpus is called 'bahc'; did you mean bach?"),
        ("zzz", "the known ones are bach, folk, essen, misc; or name a folder"),
        ("../x", "is not a valid name for a corpus"),
        ("bach+", "is not a valid name for a corpus"),
    ],
)
def test_loading_what_is_not_there_says_what_to_do(name, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # whose parent has no folder x
    with pytest.raises(CorpusError) as error:
        registry.load(name)
    if name == "bach+":
        assert "run: arvae corpus build bach" in error.value.message
    else:
        assert message in error.value.message


def test_find_takes_names_and_folders(tmp_path):
    assert registry.find("bach") is bach.CORPUS
    with pytest.raises(CorpusError, match="cannot get another name"):
        registry.find("bach", "mine")
    with pytest.raises(CorpusError, match=r"did you mean folk\?"):
        registry.find("folks")
    with pytest.raises(CorpusError, match="give another name="):
        registry.find(tmp_path, "bach")
    assert registry.find(tmp_path, "mine").name == "mine"


def test_damaged_and_older_files_are_named_and_rebuilt(cache, monkeypatch):
    path = run(tiny("tiny"), jobs=1)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CorpusError, match="damaged"):
        registry.load("tiny")
    assert registry.built() == {}
    run(tiny("tiny"), jobs=1)
    monkeypatch.setattr(store, "FORMAT", store.FORMAT + 1)
    with pytest.raises(CorpusError, match="run: arvae corpus build tiny"):
        registry.load("tiny")
    run(tiny("tiny"), jobs=1)
    assert len(registry.load("tiny")) == 30


def test_a_file_holds_whole_tunes_in_order():
    run(three_chorales(), jobs=1)
    found = {whole.tune.id: whole for whole in registry.tunes("three")}
    for work in three_chorales().works():
        built, extracted = found[work.id].tune, bach.extract(work).tune
        assert (built.title, built.shift, built.fifths, built.minor, built.phrased) == (
            extracted.title, extracted.shift, extracted.fifths, extracted.minor, extracted.phrased,
        )  # fmt: skip
        assert [bar.number for bar in built.bars] == [bar.number for bar in extracted.bars]
        for one, other in zip(built.bars, extracted.bars, strict=True):
            assert (one.meter, one.left_out, one.phrase_ends) == (other.meter, other.left_out, other.phrase_ends)
            assert np.array_equal(one.tokens, other.tokens)
    data = registry.load("three")
    parts = split(data.examples([find("density")]))
    for part in PARTS:
        ids = {data.piece_names[piece] for piece in getattr(parts, part).pieces.tolist()}
        assert ids == {whole.tune.id for whole in found.values() if whole.part == part}


def test_a_corpus_file_can_be_sent_around(tmp_path):
    path = run(tiny("tiny"), jobs=1)
    sent = shutil.move(path, tmp_path / "sent.parquet")
    assert registry.load(sent).name == "tiny"


# --------------------------------------------------------------------------------------- data


def test_examples_hold_what_the_attributes_say():
    run(three_chorales(), jobs=1)
    data = registry.load("three")
    specs = [find(name) for name in PAPER]
    examples = data.examples(specs)
    assert examples.names == PAPER
    rows = data.inputs[:, 1:25]
    assert (data.inputs[:, 0] == Meter(4).code).all()
    assert (data.inputs[:, 25:] == PAD).all()
    assert np.allclose(examples.attributes, evaluate(specs, rows, Meter(4)))
    assert len(data.examples(specs, [Meter(4), Meter(3)])) == len(data)
    with pytest.raises(CorpusError, match="no measure in 9/8; its meters are 4/4"):
        data.examples(specs, [Meter(3, compound=True)])


def test_joined_corpora_keep_their_pieces_and_their_split(tmp_path):
    run(tiny("tiny"), jobs=1)
    run(three_chorales(), jobs=1)
    both, alone = registry.load("tiny+three"), registry.load("tiny")
    assert both.name == "tiny+three"
    assert len(both) == len(alone) + len(registry.load("three"))
    assert set(alone.piece_names.items()) <= set(both.piece_names.items())
    spec = [find("density")]
    test_alone = set(split(alone.examples(spec)).test.pieces.tolist())
    assert test_alone == set(split(both.examples(spec)).test.pieces.tolist()) & set(alone.piece_names)
    with pytest.raises(CorpusError, match="name each corpus once"):
        registry.load("tiny+tiny")


def test_description():
    run(tiny("tiny"), jobs=1)
    found = describe.describe(registry.load("tiny"), [find("density"), find("pitch")])
    assert (found.tunes, found.measures, found.distinct, found.meters) == (30, 30, 30, {"4/4": 30})
    assert sum(part.measures for part in found.split.values()) == 30
    assert found.split["train"].seen is None
    assert found.split["test"].seen == 0
    density, pitch = found.attributes
    assert density.mean == pytest.approx(1 / 24)
    assert density.sd == pytest.approx(0)
    assert sum(pitch.histogram) == 30
    assert pitch.quantiles["50"] == pytest.approx(pitch.mean)
    assert len(pitch.sparkline) == describe.BINS
    assert found.correlation == ((0, 0), (0, pytest.approx(1)))


# ------------------------------------------------------------------------------------- folders


def write_midi(path: Path, pitches: tuple[int, ...], key: str = "D") -> None:
    melody = mido.MidiTrack([mido.MetaMessage("track_name", name="Melody")])
    bass = mido.MidiTrack([mido.MetaMessage("track_name", name="Bass")])
    melody.append(mido.MetaMessage("time_signature", numerator=3, denominator=4))
    melody.append(mido.MetaMessage("key_signature", key=key))
    for pitch in pitches:
        melody.append(mido.Message("note_on", note=pitch, velocity=80, time=0))
        melody.append(mido.Message("note_off", note=pitch, velocity=0, time=480))
        bass.append(mido.Message("note_on", note=pitch - 24, velocity=80, time=0, channel=1))
        bass.append(mido.Message("note_off", note=pitch - 24, velocity=0, time=480, channel=1))
    mido.MidiFile(ticks_per_beat=480, tracks=[bass, melody]).save(path)


WALTZ = (74, 78, 76, 73, 74, 69, 71, 74, 73, 74, 74, 74)


@pytest.fixture
def scores(tmp_path) -> Path:
    from music21 import converter

    root = tmp_path / "My scores"
    (root / "deep").mkdir(parents=True)
    write_midi(root / "waltz.mid", WALTZ)
    write_midi(root / "waltz in g.MID", tuple(p - 7 for p in WALTZ), "G")
    write_midi(root / "other.mid", WALTZ[::-1])
    (root / "tunes.abc").write_text("X:1\nT:A\nM:2/4\nL:1/8\nK:C\nC4|D4|\n\nX:2\nT:B\nM:6/8\nL:1/8\nK:C\nCDE FED|\n")
    converter.parse("tinyNotation: 4/4 c4 d e f g1").write("musicxml", root / "deep" / "scale.musicxml")
    (root / "broken.mid").write_bytes(b"MThd and no more")
    (root / "broken.xml").write_text("<score-partwise>")
    (root / "notes.txt").write_text("no score")
    (root / ".hidden.mid").write_bytes((root / "waltz.mid").read_bytes())
    return root


def test_a_folder_of_everything(scores):
    corpus = registry.find(scores)
    assert corpus.name == "My_scores"
    run(corpus, jobs=1)
    data = registry.load(str(scores))
    assert len(data) == 4 + 4 + 2 + 1 + 2
    assert data.by_meter() == {"3/4": 8, "2/4": 2, "4/4": 2, "6/8": 1}
    facts = registry.load_facts("My_scores")
    assert facts.tunes == 5
    assert facts.rejected.pop(build.COPY) == 1  # the waltz in G is the waltz
    assert sum(facts.rejected.values()) == 2
    named = [work for reason in facts.rejected for work in facts.examples_of_rejected[reason]]
    assert sorted(named) == [
        "My_scores/broken.mid",
        "My_scores/broken.xml",
    ]
    assert {"A", "B", "Melody"} <= set(data.titles.values())


def test_midi_is_read_as_the_editor_reads_it(scores):
    """Another reader of the file (arvae_music.midi, which edits it) finds the same melody."""
    path = scores / "waltz.mid"
    song = Song.read(path)
    tune = folder.extract(Work(path, "x")).tune
    assert tune.title == song.found.name == "Melody"
    assert tune.shift == song.melody.shift
    assert [bar.tokens.tolist() for bar in tune.bars] == [row.tolist() for row in song.melody.rows]


def test_a_score_of_several_parts_gives_its_melody(tmp_path):
    from music21 import converter, stream

    high, low = (converter.parse(f"tinyNotation: 4/4 {notes}") for notes in ("e'1 f'1", "C4 D E F G1"))
    high.partName, low.partName = "Pad", "Melody"
    stream.Score([high, low]).write("musicxml", tmp_path / "two.xml")
    tune = folder.extract(Work(tmp_path / "two.xml", "x")).tune
    assert spell(tune.bars[0], tune) == "48 - - - - - 50 - - - - - 52 - - - - - 53 - - - - -"


@pytest.mark.parametrize("suffix", [".kar", ".rmi", ".MID", ".Midi", ".smf"])
def test_midi_files_have_many_suffixes(scores, tmp_path, suffix):
    from arvae_music.io.chunks import riff

    data = (scores / "waltz.mid").read_bytes()
    inside = tmp_path / "songs"
    inside.mkdir()
    (inside / f"a{suffix}").write_bytes(riff(data) if suffix == ".rmi" else data)
    (work,) = folder.works(inside, "songs")
    bars = folder.extract(work).tune.bars
    assert [bar.tokens.tolist() for bar in bars] == [row.tolist() for row in Song.read(data).melody.rows]


def test_a_change_of_program_does_not_divide_a_melody(tmp_path):
    track = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=4, denominator=4)])
    for n, pitch in enumerate((60, 62, 64, 65, 67, 65, 64, 62)):
        track += [mido.Message("program_change", program=n)] if n % 4 == 2 else []
        track += [mido.Message("note_on", note=pitch, time=0), mido.Message("note_off", note=pitch, time=480)]
    mido.MidiFile(tracks=[track], ticks_per_beat=480).save(tmp_path / "x.mid")
    found = folder.extract(Work(tmp_path / "x.mid", "x"))
    assert not found.skips
    assert [spell(bar, found.tune).split()[::6] for bar in found.tune.bars] == [
        ["60", "62", "64", "65"],
        ["67", "65", "64", "62"],
    ]


def test_the_voices_of_an_abc_tune_give_their_melody_too(tmp_path):
    """As they do in an edit: by name, not by their order."""
    text = 'X:1\nM:2/4\nL:1/4\nK:C\n[V:1 name="Bass"] C, C,|\n[V:2 name="Melody"] C D|\n'
    (tmp_path / "two.abc").write_text(text)
    tune = folder.extract(Work(tmp_path / "two.abc", "x", 0)).tune
    assert spell(tune.bars[0], tune) == "60 - - - - - 62 - - - - -"
    assert read_any(tmp_path / "two.abc").found.name == "Melody"


def test_a_transposing_part_is_read_at_sounding_pitch(tmp_path):
    from music21 import instrument, stream
    from music21.converter import parse

    part = parse("tinyNotation: 2/4 d4 e")
    part.insert(0, instrument.Clarinet())
    stream.Score([part]).write("musicxml", tmp_path / "clarinet.xml")
    tune = folder.extract(Work(tmp_path / "clarinet.xml", "x")).tune
    assert spell(tune.bars[0], tune) == "60 - - - - - 62 - - - - -"


def test_a_folder_that_is_not_there_or_not_built(tmp_path, scores):
    with pytest.raises(CorpusError, match="no such folder"):
        folder.corpus(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="run: arvae corpus build"):
        registry.load(scores)


def test_works_of_a_folder_are_picklable_and_sorted(scores):
    import pickle

    corpus = folder.corpus(scores, "mine")
    assert isinstance(corpus.works, partial)
    assert pickle.loads(pickle.dumps(corpus.extract)) is folder.extract
    ids = [work.id for work in corpus.works()]
    assert ids == sorted(ids)
    assert "mine/tunes.abc#1" in ids


# ------------------------------------------------------------------------------- the real thing


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tunes", "measures", "four"), [("bach", 354, 4792, 3977), ("folk", 4106, 65055, 23818)]
)
def test_whole_corpora(name, tunes, measures, four):
    """To the measure with music21 10.5; other versions mend or break a tune or two."""
    run(registry.find(name))
    data = registry.load(name)
    assert data.facts[0].tunes == pytest.approx(tunes, rel=0.01)
    assert len(data) == pytest.approx(measures, rel=0.01)
    assert data.by_meter()["4/4"] == pytest.approx(four, rel=0.01)
