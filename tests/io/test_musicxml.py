"""MusicXML is read at sounding pitch, with its voices, tempi, dynamics, lyrics and repeats. Damaged and hostile files
are refused in a sentence. The expected values were worked out by hand."""

from __future__ import annotations

import io
import zipfile
from fractions import Fraction

import mido
import pytest

from arvae_music.errors import InputError
from arvae_music.io import xml_files
from arvae_music.io.notation import LeftOut, Score
from arvae_music.io.score_midi import to_midi
from arvae_music.io.scores import read_any, read_score
from arvae_music.io.unfold import unfolded

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def note(name: str, quarters: float = 1, *, voice: int = 1, staff: int = 0, inside: str = "", after: str = "") -> str:
    """The note "F#4"; divisions are 12. `inside` comes before the pitch, `after` at the end."""
    alter = f"<alter>{1 if '#' in name else -1}</alter>" if len(name) > 2 else ""
    pitch = f"<pitch><step>{name[0]}</step>{alter}<octave>{name[-1]}</octave></pitch>" if name != "r" else "<rest/>"
    where = f"<voice>{voice}</voice>" + (f"<staff>{staff}</staff>" if staff else "")
    duration = "" if "grace" in inside else f"<duration>{round(12 * quarters)}</duration>"
    return f"<note>{inside}{pitch}{duration}{where}{after}</note>"


def notes(names: str, quarters: float = 1, **more: object) -> str:
    return "".join(note(name, quarters, **more) for name in names.split())


START = "<attributes><divisions>12</divisions><key><fifths>{}</fifths></key>{}{}</attributes>"
FOUR = "<time><beats>4</beats><beat-type>4</beat-type></time>"


def attributes(fifths: int = 0, time: str = FOUR, more: str = "") -> str:
    return START.format(fifths, time, more)


def document(*parts: list[str], head: str = "", listed: str = "") -> bytes:
    """A score of these parts, each a list of measures; the first measure gets attributes unless it has some."""
    names = "".join(
        f'<score-part id="P{n}"><part-name>Part {n}</part-name>{listed}</score-part>' for n in range(1, len(parts) + 1)
    )
    text = '<?xml version="1.0" encoding="UTF-8"?><score-partwise version="3.1">'
    text += f"{head}<part-list>{names}</part-list>"
    for n, measures in enumerate(parts, 1):
        text += f'<part id="P{n}">'
        for k, measure in enumerate(measures, 1):
            given = measure if k > 1 or "<divisions>" in measure else attributes() + measure
            text += f'<measure number="{k}">{given}</measure>'
        text += "</part>"
    return (text + "</score-partwise>").encode()


def read(*parts: list[str], **more: str) -> Score:
    return read_score(document(*parts, **more), "score.musicxml")


def pitches(score: Score, part: int = 0) -> list[int]:
    return [sound.pitch for sound in score.parts[part].sounds]


def spans(score: Score, part: int = 0) -> list[tuple[str, str]]:
    return [(str(sound.start), str(sound.end)) for sound in score.parts[part].sounds]


# ------------------------------------------------------------------------------------- pitches and keys


@pytest.mark.parametrize(
    ("transpose", "by", "fifths"),
    [
        ("<diatonic>-1</diatonic><chromatic>-2</chromatic>", -2, 0),  # clarinet in B flat, written in D
        ("<chromatic>-2</chromatic>", -2, 0),
        ("<chromatic>-7</chromatic>", -7, 1),  # horn in F
        ("<chromatic>-2</chromatic><octave-change>-1</octave-change>", -14, 0),  # tenor saxophone
        ("<chromatic>0</chromatic><octave-change>-1</octave-change>", -12, 2),  # guitar
        ("<octave-change>1</octave-change>", 12, 2),  # piccolo
        ("<chromatic>3</chromatic>", 3, -1),  # clarinet in E flat: F major
        ("<chromatic>0.0</chromatic>", 0, 2),
    ],
)
def test_transposing_instruments_sound(transpose: str, by: int, fifths: int) -> None:
    score = read([attributes(2, more=f"<transpose>{transpose}</transpose>") + notes("D4 E4 F#4 G4")])
    assert pitches(score) == [62 + by, 64 + by, 66 + by, 67 + by]
    assert score.parts[0].measures[0].fifths == fifths


def test_an_instrument_changes_in_the_middle() -> None:
    change = "<attributes><transpose><chromatic>0</chromatic></transpose></attributes>"
    first = attributes(more="<transpose><chromatic>-2</chromatic></transpose>") + notes("D4 D4 D4 D4")
    assert pitches(read([first, change + notes("D4 D4 D4 D4")])) == [60] * 4 + [62] * 4


def test_minor_keys_reach_the_midi() -> None:
    key = "<key><fifths>-1</fifths><mode>minor</mode></key>"
    body = f"<attributes><divisions>12</divisions>{key}{FOUR}</attributes>" + notes("D4 E4 F4 G4")
    track = mido.MidiFile(file=io.BytesIO(to_midi(read([body]).parts)[0])).tracks[0]
    keys = [message.key for message in track if message.type == "key_signature"]
    assert keys == ["Dm"]


# ------------------------------------------------------------------------------------- voices and staves


def test_voices_are_parts() -> None:
    bar = notes("C4 D4 E4 F4") + "<backup><duration>48</duration></backup>" + note("C3", 4, voice=2)
    score = read([bar, bar])
    assert [part.name for part in score.parts] == ["Part 1", "Part 1 (2)"]
    assert pitches(score) == [60, 62, 64, 65] * 2
    assert spans(score, 1) == [("0", "4"), ("4", "8")]
    song = read_any(document([bar, bar]))
    assert [n.pitch for n in song.melody.notes] == [60, 62, 64, 65] * 2
    assert all(b.reason is None for b in song.melody.bars)


def test_a_voice_keeps_its_number_where_it_is_alone() -> None:
    two = notes("C5 D5 E5 F5") + "<backup><duration>48</duration></backup>" + note("C3", 4, voice=2)
    score = read([notes("E3 E3 E3 E3", voice=2), two])
    assert pitches(score) == [72, 74, 76, 77]
    assert pitches(score, 1) == [52, 52, 52, 52, 48]


def test_two_staves() -> None:
    back = "<backup><duration>48</duration></backup>"
    right, left = notes("C4 D4 E4 F4", staff=1), notes("C3 G3", 2, voice=5, staff=2)
    score = read([attributes(more="<staves>2</staves>") + right + back + left])
    assert [pitches(score, 0), pitches(score, 1)] == [[60, 62, 64, 65], [48, 55]]
    # the same voice number on both staves
    score = read([right + back + notes("C3 G3", 2, voice=1, staff=2)])
    assert [pitches(score, 0), pitches(score, 1)] == [[60, 62, 64, 65], [48, 55]]
    # a voice that moves from one staff to the other is one line
    crossing = note("C4", staff=1) + note("G3", staff=2) + note("E3", staff=2) + note("C4", staff=1)
    assert pitches(read([crossing])) == [60, 55, 52, 60]


def test_chords_and_ties() -> None:
    tie = '<tie type="{}"/>'
    first = note("C4", 2) + note("E4", 2, inside="<chord/>") + note("G4", 2, after=tie.format("start"))
    second = note("G4", 2, after=tie.format("stop")) + note("G4", 2)
    data, _ = to_midi(read([first, second]).parts)
    on = [m for m in mido.MidiFile(file=io.BytesIO(data)).tracks[0] if m.type == "note_on"]
    assert [m.note for m in on] == [60, 64, 67, 67]
    drawn = note("G4", 4, after='<notations><tied type="start"/></notations>')
    stopped = note("G4", 4, after='<notations><tied type="stop"/></notations>')
    assert [sound.tied for sound in read([drawn, stopped]).parts[0].sounds] == [False, True]


def test_triplets_are_exact() -> None:
    triplet = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"
    score = read([notes("C4 D4 E4", 1 / 3, after=triplet) + notes("F4 G4 A4")])
    assert spans(score)[:3] == [("0", "1/3"), ("1/3", "2/3"), ("2/3", "1")]


# ------------------------------------------------------------------------------------- what is left out


def test_graces_and_cues_do_not_sound() -> None:
    cue = note("B5", inside="<cue/>")
    grace = note("B4", inside='<grace slash="yes"/>')
    symbol = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
    trill = "<notations><ornaments><trill-mark/></ornaments><fermata/></notations>"
    body = symbol + grace + grace + note("C4") + note("D4", after=trill) + note("E4") + note("F4") + grace
    score = read([body, cue + notes("G4 A4 B4")])
    assert pitches(score) == [60, 62, 64, 65, 67, 69, 71]
    assert spans(score)[3:5] == [("3", "4"), ("5", "6")]
    assert score.left_out == {
        LeftOut.GRACE: 3, LeftOut.CUE: 1, LeftOut.ORNAMENT: 1, LeftOut.FERMATA: 1
    }  # fmt: skip


def test_drums_and_impossible_pitches_are_counted() -> None:
    drum = "<note><unpitched/><duration>12</duration></note>"
    score = read([drum + note("C4") + note("C4").replace("<octave>4", "<octave>12") + note("E4")])
    assert pitches(score) == [60, 64]
    assert score.left_out == {LeftOut.UNPITCHED: 1, LeftOut.OUT_OF_RANGE: 1}


# ------------------------------------------------------------------------------------- meters and measures


@pytest.mark.parametrize(
    ("time", "signature"),
    [
        ("<time><beats>3+2</beats><beat-type>8</beat-type></time>", "5/8"),
        ("<time><beats>2</beats><beat-type>4</beat-type><beats>3</beats><beat-type>8</beat-type></time>", "7/8"),
        ('<time symbol="common"><beats>4</beats><beat-type>4</beat-type></time>', "4/4"),
        ('<time symbol="cut"><beats>2</beats><beat-type>2</beat-type></time>', "2/2"),
        ("<time><senza-misura/></time>", ""),
        ("<time><beats>0</beats><beat-type>4</beat-type></time>", ""),
        ("<time><beats>4</beats><beat-type>3</beat-type></time>", ""),
        ("<time><beats>x</beats><beat-type>4</beat-type></time>", ""),
        ("<time><beats>9999999</beats><beat-type>4</beat-type></time>", ""),
    ],
)
def test_every_time_signature_gives_a_valid_file(time: str, signature: str) -> None:
    length = Fraction(signature or "1") * 4
    bar = "".join(note("C4", 0.5) for _ in range(int(length * 2)))
    score = read([attributes(time=time) + bar, bar])
    assert {measure.signature for measure in score.parts[0].measures} == {signature}
    assert [measure.length for measure in score.parts[0].measures] == [length, length]
    data, _ = to_midi(score.parts)
    assert mido.MidiFile(file=io.BytesIO(data)).length > 0


def test_measures_begin_together() -> None:
    """Silent parts follow the others; whole-measure rests are often written as whole notes."""
    three = attributes(time="<time><beats>3</beats><beat-type>4</beat-type></time>")
    rest = '<note><rest measure="yes"/><duration>48</duration></note>'
    score = read([three + notes("C4 D4 E4"), notes("F4 G4 A4")], [three + rest, notes("C3 D3 E3")])
    assert [measure.length for measure in score.parts[0].measures] == [3, 3]
    assert spans(score, 1)[0] == ("3", "4")
    pickup = read([three + note("C4"), notes("F4 G4 A4")], [three + rest, rest])
    assert [measure.length for measure in pickup.parts[1].measures] == [1, 3]


def test_silence_at_the_end_of_a_measure_does_not_lengthen_it() -> None:
    forward = "<forward><duration>12</duration></forward>"
    score = read([notes("C4 D4 E4 F4"), notes("C4 D4 E4") + forward])
    assert [measure.length for measure in score.parts[0].measures] == [4, 3]


# ------------------------------------------------------------------------------------- tempo, dynamics, lyrics


def direction(inside: str, sound: str = "") -> str:
    return f"<direction><direction-type>{inside}</direction-type>{sound}</direction>"


def metronome(unit: str, speed: str, dots: int = 0) -> str:
    dotted = "<beat-unit-dot/>" * dots
    return f"<metronome><beat-unit>{unit}</beat-unit>{dotted}<per-minute>{speed}</per-minute></metronome>"


@pytest.mark.parametrize(
    ("mark", "speed"),
    [
        (direction(metronome("quarter", "90")), 90),
        (direction(metronome("half", "45")), 90),
        (direction(metronome("quarter", "60", dots=1)), 90),
        (direction(metronome("eighth", "c. 120")), 60),
        (direction(metronome("quarter", "60"), '<sound tempo="72"/>'), 72),
        ('<sound tempo="72"/>', 72),
        (direction("<words>Fast</words>", '<sound tempo="90"/>'), 90),
        (direction("<words>Allegro</words>"), 132),
        (direction("<words>Allegro</words>") + direction(metronome("quarter", "100")), 100),
        (direction("<words>dolce</words>"), None),
        (direction(metronome("quarter", "0")), None),
        ('<sound tempo="nan"/>', None),
    ],
)
def test_tempi_reach_the_midi(mark: str, speed: float | None) -> None:
    tempi = _tempi(document([mark + notes("C4 D4 E4 F4")]))
    assert tempi == ([] if speed is None else [(0, pytest.approx(speed, abs=0.01))])


def _tempi(data: bytes) -> list[tuple[float, float]]:
    midi = mido.MidiFile(file=io.BytesIO(to_midi(read_score(data, "x.musicxml").parts)[0]))
    found, now = [], 0
    for message in midi.tracks[0]:
        now += message.time
        if message.type == "set_tempo":
            found.append((now / midi.ticks_per_beat, 60e6 / message.tempo))
    return found


def test_tempi_of_any_part_and_in_mid_measure() -> None:
    bar = notes("C4 D4 E4 F4")
    middle = notes("C4 D4") + direction(metronome("quarter", "60")) + notes("E4 F4")
    later = "</direction-type><offset>12</offset></direction>"
    offset = f"<direction><direction-type>{metronome('quarter', '80')}{later}"
    data = document([bar, bar, offset + bar], [bar, middle, bar])
    assert _tempi(data) == [(6, pytest.approx(60)), (9, pytest.approx(80))]


def test_dynamics_reach_the_midi() -> None:
    loud, soft = direction("<dynamics><ff/></dynamics>"), direction("<dynamics><pp/></dynamics>")
    exact = direction("<dynamics><p/></dynamics>", '<sound dynamics="100"/>')
    score = read([notes("C4 D4") + loud + notes("E4 F4"), soft + notes("C4 D4") + exact + notes("E4 F4")])
    assert [sound.velocity for sound in score.parts[0].sounds] == [80, 80, 112, 112, 33, 33, 90, 90]


def test_dynamics_hold_for_all_voices_from_their_place() -> None:
    loud = direction("<dynamics><ff/></dynamics>")
    back = "<backup><duration>48</duration></backup>"
    bar = notes("C4 D4") + loud + notes("E4 F4") + back + notes("C3 D3", 2, voice=2)
    assert [sound.velocity for sound in read([bar]).parts[1].sounds] == [80, 112]


def test_lyrics_reach_the_midi() -> None:
    def sung(name: str, text: str, syllabic: str, number: int = 1) -> str:
        verse = f'<lyric number="{number}"><syllabic>{syllabic}</syllabic><text>{text}</text></lyric>'
        return note(name, after=verse)

    body = sung("C4", "glo", "begin") + sung("D4", "ri", "middle") + sung("E4", "a", "end") + sung("F4", "in", "single")
    midi = mido.MidiFile(file=io.BytesIO(to_midi(read([body]).parts)[0]))
    assert [message.text for message in midi.tracks[0] if message.type == "lyrics"] == ["glo-", "ri-", "a", "in"]


# ------------------------------------------------------------------------------------- repeats


def barline(location: str, inside: str) -> str:
    return f'<barline location="{location}">{inside}</barline>'


FORWARD = barline("left", '<repeat direction="forward"/>')
BACKWARD = barline("right", '<repeat direction="backward"/>')


def ending(number: str, *, back: bool = False) -> tuple[str, str]:
    start = barline("left", f'<ending number="{number}" type="start"/>')
    repeat = '<repeat direction="backward"/>' if back else ""
    return start, barline("right", f'<ending number="{number}" type="stop"/>{repeat}')


def bars_played(*marks: tuple[str, str]) -> str:
    """Which of the measures C, D, E, ... are played; each has marks before and after its notes."""
    bars = [before + note(f"{name}4", 4) + after for name, (before, after) in zip("CDEFGAB", marks, strict=False)]
    own = unfolded(read(bars)).parts[0]
    names = {60 + by: name for name, by in STEPS.items()}
    return "".join(names[sound.pitch] for sound in own.sounds)


def test_repeats_and_endings_are_played() -> None:
    none = ("", "")
    assert bars_played((FORWARD, ""), ("", BACKWARD), none) == "CDCDE"
    assert bars_played(none, ("", BACKWARD)) == "CDCD"
    assert bars_played((FORWARD, ""), ending("1", back=True), ending("2"), none) == "CDCEF"
    assert bars_played((FORWARD, ""), ending("1, 2", back=True), ending("3")) == "CDCDCE"
    times = barline("right", '<repeat direction="backward" times="3"/>')
    assert bars_played(("", times), none) == "CCCD"


@pytest.mark.parametrize(
    ("da_capo", "fine"),
    [
        ('<sound dacapo="yes"/>', '<sound fine="yes"/>'),
        (direction("<words>D.C. al Fine</words>"), direction("<words>Fine</words>")),
        (direction("<words>Da Capo al Fine</words>", '<sound dacapo="yes"/>'), direction("<words>Fine</words>")),
    ],
)
def test_da_capo_al_fine(da_capo: str, fine: str) -> None:
    assert bars_played(("", ""), ("", fine), ("", da_capo)) == "CDECD"


def test_dal_segno_al_coda() -> None:
    segno = direction("<segno/>", '<sound segno="s"/>')
    to_coda = direction("<coda/>", '<sound tocoda="c"/>')
    back = direction("<words>D.S. al Coda</words>", '<sound dalsegno="s"/>')
    coda = direction("<coda/>", '<sound coda="c"/>')
    marks = (("", ""), (segno, ""), ("", to_coda), ("", back), (coda, ""))
    assert bars_played(*marks) == "CDEFDEG"
    drawn = (("", ""), (direction("<segno/>"), ""), ("", direction("<words>To Coda</words>")),
             ("", direction("<words>D.S. al Coda</words>")), (direction("<coda/>"), ""))  # fmt: skip
    assert bars_played(*drawn) == "CDEFDEG"


def test_da_capo_with_endings_takes_the_last() -> None:
    first, last = ending("1", back=True), ending("2")
    marks = ((FORWARD, ""), first, last, ("", '<sound dacapo="yes"/>'))
    assert bars_played(*marks) == "CDCEFCEF"


# ------------------------------------------------------------------------------------- files


def packed(content: bytes, name: str = "score.xml", container: bool = True) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        if container:
            root = f'<container><rootfiles><rootfile full-path="{name}"/></rootfiles></container>'
            archive.writestr("META-INF/container.xml", root)
        archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("container", [True, False])
def test_compressed_scores(container: bool) -> None:
    score = read_score(packed(document([notes("C4 D4 E4 F4")]), container=container), "score.mxl", ".mxl")
    assert pitches(score) == [60, 62, 64, 65]


def test_timewise_scores_and_other_encodings() -> None:
    text = document([notes("C4 D4 E4 F4"), notes("G4 A4 B4 C5")]).decode()
    wide = text.replace("UTF-8", "UTF-16").encode("utf-16")
    assert pitches(read_score(wide, "x.xml")) == [60, 62, 64, 65, 67, 69, 71, 72]
    listed = text[text.index("<part-list>") : text.index("</part-list>") + len("</part-list>")]
    bars = [f'<measure number="{n}"><part id="P1">{bar}</part></measure>' for n, bar in
            ((1, attributes() + notes("C4 D4 E4 F4")), (2, notes("G4 A4 B4 C5")))]  # fmt: skip
    timewise = f"<score-timewise>{listed}{''.join(bars)}</score-timewise>"
    assert pitches(read_score(timewise.encode(), "x.xml")) == [60, 62, 64, 65, 67, 69, 71, 72]


def test_titles_composers_and_programs() -> None:
    composer = "<identification><creator type='composer'>Ann</creator></identification>"
    head = f"<work><work-title>Song</work-title></work>{composer}"
    listed = '<midi-instrument id="I"><midi-program>41</midi-program></midi-instrument>'
    score = read([notes("C4 D4 E4 F4")], head=head, listed=listed)
    assert (score.title, score.composer, score.parts[0].program) == ("Song", "Ann", 40)


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (LAUGHS.encode() + b"<score-partwise>&b;</score-partwise>", "it declares XML entities"),
        (OUTSIDE.encode() + b"<score-partwise>&a;</score-partwise>", "it declares XML entities"),
        (f"{LAUGHS}<score-partwise/>".encode("utf-16"), "it declares XML entities"),
        (packed(f"{LAUGHS}<score-partwise/>".encode()), "it declares XML entities"),
        (b"<score-partwise>", "cannot be read as XML .no element found"),
        (b"<score-partwise><part></score-partwise>", "cannot be read as XML .mismatched tag"),
        (b"<?xml version='1.0' encoding='no-such'?><score-partwise/>", "cannot be read as XML"),
        (b"<html/>", "it is XML, but not MusicXML .<html>"),
        (b"<score-partwise/>", "it has no measures"),
        (b"PK\x03\x04", "cannot be read as a compressed score"),
        (packed(b"", "readme.txt", container=False), "it is a ZIP file without a score"),
        (packed(document([notes("C4")]))[:-30], "cannot be read as a compressed score"),
        (document([attributes().replace("12", "0") + note("C4")]), "part 1, measure 1: a value makes no sense"),
        (document([note("C4").replace("12", "-12")]), "part 1, measure 1: a value makes no sense"),
        (document([note("C4").replace("12", "nan")]), "part 1, measure 1: a value makes no sense"),
        (document([note("H4")]), "part 1, measure 1: a value makes no sense"),
        (document([note("C4").replace("<octave>4", "<octave>x")]), "part 1, measure 1: a value makes no sense"),
        (document([note("C4", 9e9)]), "it lasts longer than a MIDI file can hold"),
    ],
)
def test_damaged_and_hostile_files_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_any(data, name="score.musicxml")
    assert caught.value.message.startswith("score.musicxml")


def test_zip_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_files, "LARGEST", 1 << 20)
    with pytest.raises(InputError, match="it unpacks to more than 1 MiB"):
        read_any(packed(b"<score-partwise>" + b" " * (1 << 21)), name="bomb.mxl")
