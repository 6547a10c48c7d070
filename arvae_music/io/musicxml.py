"""Read MusicXML (3.1 and 4.0, partwise and timewise, compressed or not).

    read_score(data, where)        a Score at sounding pitch; each voice of each instrument is a part

The parts of an instrument with several voices are named "Piano", "Piano (2)" and so on, by staff and number. A
voice that sounds on two staves at once is a part for each staff. Measures begin and end together in all parts.

The reader is arvae's own for three reasons. music21 (10.5) drops the number of a voice where it is alone in a measure,
so that a melody cannot be followed through a piano part; it transposes by <diatonic> even where there is none; and a
plain file takes half a second and the import of music21 another.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from xml.etree.ElementTree import Element

from ..errors import InputError
from ..music.chords import Chord
from .chord_symbols import of_musicxml
from .musicxml_marks import Tempo, marks_of, tempi_of, velocity_of
from .notation import HIGHEST_PITCH, LOWEST_PITCH, VELOCITY, LeftOut, Lyric, Marks, Measure, Part, Score, Sound
from .xml_files import read_xml

_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ORNAMENTS = ("trill-mark", "turn", "inverted-turn", "mordent", "inverted-mordent", "shake", "tremolo", "arpeggiate")
_REMEDY = "check it in a notation program"


@dataclass
class _Note:
    """A note with what decides to which part it belongs."""

    sound: Sound
    voice: str
    staff: str
    lyric: str = ""
    velocity: int | None = None  # its own


@dataclass
class _Bar:
    """A measure of one instrument."""

    length: Fraction  # of its notes and rests
    signature: str
    fifths: int | None
    minor: bool
    number: str
    marks: Marks
    sounding: Fraction = Fraction(0)  # where its last note ends
    rest: Fraction = Fraction(0)  # the length of a whole-measure rest


@dataclass
class _Instrument:
    """One <part> while it is read."""

    name: str
    program: int
    bars: list[_Bar] = field(default_factory=list)
    notes: list[tuple[int, _Note]] = field(default_factory=list)  # measure; positions count from its start
    tempi: list[tuple[int, Tempo]] = field(default_factory=list)
    dynamics: list[tuple[int, Fraction, int]] = field(default_factory=list)  # measure, position in it, velocity
    chords: list[tuple[int, Fraction, Chord]] = field(default_factory=list)  # measure, position in it
    fermatas: list[tuple[int, Fraction]] = field(default_factory=list)  # measure, end of the note in it
    left_out: Counter[LeftOut] = field(default_factory=Counter)
    # the state of the reader
    divisions: Fraction = Fraction(1)
    signature: str = ""
    fifths: int | None = None
    minor: bool = False
    transpose: dict[str, int] = field(default_factory=dict)  # semitones by staff; "" is all staves
    at: Fraction = Fraction(0)
    last: Fraction = Fraction(0)  # where the note before began, for chords


def read_score(data: bytes, where: str) -> Score:
    """Read a MusicXML file. Raises InputError for bytes that are not one, and for values that make no sense."""
    root = read_xml(data, where)
    if root.tag == "score-timewise":
        _to_partwise(root)
    elif root.tag != "score-partwise":
        raise InputError(f"it is XML, but not MusicXML (<{root.tag}>)", where=where, remedy=_REMEDY)
    about = {one.get("id", ""): one for one in root.iter("score-part")}
    instruments = []
    for n, element in enumerate(root.findall("part"), 1):
        name, program = _name_and_program(about.get(element.get("id", "")))
        instrument = _Instrument(name, program)
        for index, measure in enumerate(element.findall("measure")):
            try:
                _read_measure(instrument, measure, index)
            except (ValueError, ZeroDivisionError, OverflowError) as error:
                place = f"{where}, part {n}, measure {measure.get('number', index + 1)}"
                raise InputError(f"a value makes no sense ({error})", where=place, remedy=_REMEDY) from None
        instruments.append(instrument)
    left_out: Counter[LeftOut] = Counter()
    for instrument in instruments:
        left_out.update(instrument.left_out)
    title = _text(root, "work/work-title") or _text(root, "movement-title")
    composers = [one.text or "" for one in root.iter("creator") if one.get("type") == "composer"]
    parts = tuple(part for instrument in _aligned(instruments) for part in _parts(instrument))
    return Score(title, parts, "".join(composers[:1]).strip(), left_out={k: n for k, n in left_out.items() if n})


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _name_and_program(about: Element | None) -> tuple[str, int]:
    if about is None:
        return "", 0
    program = _text(about, "midi-instrument/midi-program")
    number = int(program) - 1 if program.isdecimal() and len(program) < 4 else 0
    return _text(about, "part-name"), number if 0 <= number <= 127 else 0


def _to_partwise(root: Element) -> None:
    """Turn measures of parts into parts of measures."""
    parts: dict[str, Element] = {}
    for measure in root.findall("measure"):
        root.remove(measure)
        for part in measure.findall("part"):
            own = parts.setdefault(part.get("id", ""), Element("part", {"id": part.get("id", "")}))
            copied = Element("measure", measure.attrib)
            copied.extend(list(part))
            own.append(copied)
    root.extend(parts.values())


# ------------------------------------------------------------------------------------- one measure


def _read_measure(instrument: _Instrument, measure: Element, index: int) -> None:
    instrument.at = instrument.last = Fraction(0)
    bar = _Bar(Fraction(0), "", None, False, measure.get("number", ""), marks_of(measure))
    for element in measure:
        if element.tag == "note":
            _read_note(instrument, element, index, bar)
        elif element.tag in ("backup", "forward"):
            by = _duration(instrument, element)
            instrument.at = max(instrument.at + (by if element.tag == "forward" else -by), Fraction(0))
        elif element.tag == "attributes":
            _read_attributes(instrument, element)
        elif element.tag in ("direction", "sound"):
            offset = Fraction(_text(element, "offset") or 0) / instrument.divisions
            place = max(instrument.at + offset, Fraction(0))
            instrument.tempi += ((index, tempo) for tempo in tempi_of(element, place))
            velocity = velocity_of(element)
            if velocity is not None:
                instrument.dynamics.append((index, place, velocity))
        elif element.tag == "harmony":
            chord = of_musicxml(element, _transposition(instrument, "1"))
            if chord is None:
                instrument.left_out[LeftOut.CHORD_SYMBOL] += 1
            else:
                offset = Fraction(_text(element, "offset") or 0) / instrument.divisions
                instrument.chords.append((index, max(instrument.at + offset, Fraction(0)), chord))
    bar.signature, bar.fifths, bar.minor = instrument.signature, instrument.fifths, instrument.minor
    if instrument.fifths is not None:
        bar.fifths = sounding_fifths(instrument.fifths, _transposition(instrument, "1"))
    instrument.bars.append(bar)


def _duration(instrument: _Instrument, element: Element) -> Fraction:
    """A length in quarter notes. Raises ValueError for a negative one."""
    found = Fraction(_text(element, "duration") or 0) / instrument.divisions
    if found < 0:
        raise ValueError("a negative duration")
    return found


def _read_attributes(instrument: _Instrument, element: Element) -> None:
    divisions = _text(element, "divisions")
    if divisions:
        instrument.divisions = Fraction(divisions)
        if instrument.divisions <= 0:
            raise ValueError("divisions are not positive")
    key = element.find("key")
    if key is not None:
        fifths = _text(key, "fifths")
        instrument.fifths = int(fifths) if fifths else None  # other signatures are lists of altered steps
        instrument.minor = _text(key, "mode").lower() in ("minor", "aeolian")
    time = element.find("time")
    if time is not None:
        instrument.signature = _signature(time)
    for transpose in element.iter("transpose"):
        semitones = round(float(_text(transpose, "chromatic") or 0)) + 12 * int(_text(transpose, "octave-change") or 0)
        instrument.transpose[transpose.get("number", "")] = semitones


def _signature(time: Element) -> str:
    """A time signature such as "5/8"; "" for free time and for one that makes no sense. 3+2/8 is 5/8."""
    terms = []
    for beats, beat_type in zip(time.findall("beats"), time.findall("beat-type"), strict=False):
        numbers = [one.strip() for one in (beats.text or "").split("+")]
        unit = (beat_type.text or "").strip()
        if unit not in ("1", "2", "4", "8", "16", "32", "64") or not all(n.isdecimal() and len(n) < 4 for n in numbers):
            return ""
        terms.append((sum(int(n) for n in numbers), int(unit)))
    if not terms or any(top == 0 for top, _ in terms):
        return ""
    common = max(unit for _, unit in terms)
    total = sum(top * common // unit for top, unit in terms)
    return f"{total}/{common}" if total <= 255 else ""


def _transposition(instrument: _Instrument, staff: str) -> int:
    return instrument.transpose.get(staff, instrument.transpose.get("", 0))


def sounding_fifths(fifths: int, semitones: int) -> int:
    """The key signature that sounds: the one with the fewest accidentals, if the instrument transposes."""
    if semitones % 12 == 0:
        return fifths
    found = (fifths + 7 * semitones) % 12
    return found - 12 if found > 6 else found


def _read_note(instrument: _Instrument, element: Element, index: int, bar: _Bar) -> None:
    if element.find("grace") is not None:
        instrument.left_out[LeftOut.GRACE] += 1
        return
    duration = _duration(instrument, element)
    start = instrument.last if element.find("chord") is not None else instrument.at
    if element.find("chord") is None:
        instrument.last = instrument.at
        rest = element.find("rest")
        if rest is not None and rest.get("measure") == "yes":
            bar.rest = max(bar.rest, duration)
            return  # its length is often that of a whole note, whatever the meter is
        instrument.at += duration
        bar.length = max(bar.length, instrument.at)
        bar.sounding = bar.sounding if rest is not None else max(bar.sounding, instrument.at)
    pitch = element.find("pitch")
    _read_signs(instrument, element, index, start + duration)
    if element.find("cue") is not None:
        instrument.left_out[LeftOut.CUE] += 1
    elif element.find("unpitched") is not None:
        instrument.left_out[LeftOut.UNPITCHED] += 1
    elif pitch is not None and duration > 0:
        staff = _text(element, "staff") or "1"
        number = _pitch(pitch) + _transposition(instrument, staff)
        if not LOWEST_PITCH <= number <= HIGHEST_PITCH:
            instrument.left_out[LeftOut.OUT_OF_RANGE] += 1
            return
        sound = Sound(start, start + duration, number, _continues(element))
        voice = _text(element, "voice") or "1"
        instrument.notes.append((index, _Note(sound, voice, staff, _lyric(element), velocity_of(element))))


def _pitch(pitch: Element) -> int:
    step, octave = _text(pitch, "step").upper(), int(_text(pitch, "octave"))
    alter = float(_text(pitch, "alter") or 0)
    if step not in _SEMITONES or not math.isfinite(alter):
        raise ValueError("a pitch without a step, or altered by no number")
    return 12 * (octave + 1) + _SEMITONES[step] + math.floor(alter + 0.5)


def _continues(element: Element) -> bool:
    """Whether a tie ends with the note. Some programs write only what is drawn, <tied>."""
    ties = element.findall("tie") or list(element.iter("tied"))
    return any(tie.get("type") == "stop" for tie in ties)


def _lyric(element: Element) -> str:
    """The syllable of the first verse."""
    verses = sorted(element.findall("lyric"), key=lambda verse: verse.get("number", "1"))
    for verse in verses[:1]:
        text = "".join(
            one.text or "" for one in verse if one.tag in ("text", "elision")
        ).strip()
        goes_on = [one.text for one in verse.findall("syllabic")][-1:] in (["begin"], ["middle"])
        return f"{text}-" if text and goes_on else text
    return ""


def _read_signs(instrument: _Instrument, element: Element, index: int, end: Fraction) -> None:
    """Count the signs of a note that ends at `end`, and note its fermatas."""
    notations = element.find("notations")
    if notations is None:
        return
    for sign in notations.iter():
        if sign.tag in _ORNAMENTS:
            instrument.left_out[LeftOut.ORNAMENT] += 1
        elif sign.tag == "fermata":
            instrument.left_out[LeftOut.FERMATA] += 1
            instrument.fermatas.append((index, end))
        elif sign.tag == "staccato":
            instrument.left_out[LeftOut.STACCATO] += 1


# ------------------------------------------------------------------------------------- parts


def _aligned(instruments: Sequence[_Instrument]) -> Iterator[_Instrument]:
    """The instruments with measures of the same lengths: the longest contents of each measure.

    Rests do not make a measure longer than its time signature, because some programs write a rest for each silent voice
    one after another.
    """
    count = max((len(one.bars) for one in instruments), default=0)
    lengths = []
    for i in range(count):
        bars = [one.bars[i] for one in instruments if i < len(one.bars)]
        rests = max(bar.rest for bar in bars)
        signature = next((bar.signature for bar in bars if bar.signature), "")
        nominal = Fraction(signature) * 4 if signature else Fraction(4)
        contents = min(max(bar.length for bar in bars), nominal) if signature else max(bar.length for bar in bars)
        lengths.append(max([contents, *(bar.sounding for bar in bars)]) or min(rests or nominal, nominal))
    for one in instruments:
        for bar, length in zip(one.bars, lengths, strict=False):
            bar.length = length
        yield one


def _parts(instrument: _Instrument) -> Iterator[Part]:
    """A part for each voice, the first voice of the file first; an instrument without notes is one part."""
    starts, measures = [], []
    now = Fraction(0)
    for bar in instrument.bars:
        starts.append(now)
        number = int(bar.number) if bar.number.isdecimal() and len(bar.number) < 7 else None
        measures.append(Measure(now, bar.length, bar.signature, bar.fifths, number, bar.marks, bar.minor))
        now += bar.length
    tempi = tuple(
        (starts[i] + tempo.at, tempo.quarters)
        for i, tempo in sorted(instrument.tempi, key=lambda found: (found[0], found[1].at, found[1].from_words))
    )
    dynamics = sorted((starts[i] + at, velocity) for i, at, velocity in instrument.dynamics)
    places = [at for at, _ in dynamics]
    chords = tuple((starts[i] + at, chord) for i, at, chord in instrument.chords)
    ends = tuple(sorted({starts[i] + at for i, at in instrument.fermatas})) or None
    for n, notes in enumerate(_voices(instrument.notes)):
        sounds: list[Sound] = []
        lyrics: dict[Fraction, str] = {}
        for i, note in notes:
            by = starts[i]
            start, before = by + note.sound.start, bisect_right(places, by + note.sound.start)
            velocity = note.velocity or (dynamics[before - 1][1] if before else VELOCITY)
            sounds.append(replace(note.sound, start=start, end=by + note.sound.end, velocity=velocity))
            if note.lyric:
                lyrics.setdefault(start, note.lyric)
        name = instrument.name if n == 0 else f"{instrument.name} ({n + 1})".strip()
        sung = tuple(Lyric(at, text) for at, text in sorted(lyrics.items()))
        if n:
            yield Part(name, tuple(measures), tuple(sorted(sounds)), instrument.program, lyrics=sung)
        else:
            yield Part(name, tuple(measures), tuple(sorted(sounds)), instrument.program, tempi, sung, chords, ends)


def _voices(notes: Sequence[tuple[int, _Note]]) -> list[list[tuple[int, _Note]]]:
    """The notes by voice, and by staff where a voice sounds on several staves at once."""
    by_voice: dict[str, list[tuple[int, _Note]]] = {}
    for one in notes:
        by_voice.setdefault(one[1].voice, []).append(one)
    found: list[list[tuple[int, _Note]]] = []
    for own in sorted(by_voice.values(), key=_rank):
        staves: dict[str, list[tuple[int, _Note]]] = {}
        for one in own:
            staves.setdefault(one[1].staff, []).append(one)
        together = len(staves) > 1 and _overlap(own)
        found += [staves[staff] for staff in sorted(staves)] if together else [own]
    return found or [[]]


def _rank(notes: Sequence[tuple[int, _Note]]) -> tuple[str, int]:
    """The order of voices: by staff, and then by number."""
    voice = notes[0][1].voice
    return min(note.staff for _, note in notes), int(voice) if voice.isdecimal() and len(voice) < 4 else 0


def _overlap(notes: Sequence[tuple[int, _Note]]) -> bool:
    """Whether notes of two staves sound at the same time."""
    ends: dict[str, tuple[int, Fraction]] = {}
    for index, note in sorted(notes, key=lambda one: (one[0], one[1].sound.start)):
        others = (end for staff, end in ends.items() if staff != note.staff)
        if any(end > (index, note.sound.start) for end in others):
            return True
        ends[note.staff] = max(ends.get(note.staff, (0, Fraction(0))), (index, note.sound.end))
    return False
