"""MIDI files for tests: a named list of files that are hard to read, and hypothesis strategies for melodies.

All files are built with mido or byte by byte, never with the code under test. The melody of each known-hard
file is `TUNE`, or is said beside it. Rows are canonical: no rest within a rest, and silent measures open
with REST.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mido
import numpy as np
from hypothesis import strategies as st

from arvae_music.arrays import Row
from arvae_music.music.meter import Meter, all_meters
from arvae_music.music.tokens import FIRST_PITCH, HOLD, LOWEST, REST, TokenNote, notes_of

Rows = list[Row | None]
LOW, HIGH = 64, 78  # MIDI pitches: narrow, so that no register puts them out of range
DUPLE, TRIPLE = (0, 1, 3, 5), (0, 2, 4)  # ticks of a simple beat
FOUR = Meter(4)


def token(pitch: int) -> int:
    return pitch - LOWEST + FIRST_PITCH


def row(meter: Meter, **events: int | None) -> Row:
    """Tokens from t0=60, t6=None: a pitch or a rest at a tick."""
    tokens = np.full(meter.ticks, HOLD, dtype=np.int16)
    for tick, pitch in events.items():
        tokens[int(tick[1:])] = REST if pitch is None else token(pitch)
    return tokens


TUNE: Rows = [
    row(FOUR, t0=67, t6=69, t12=71, t15=72, t18=74),
    row(FOUR, t6=71, t12=None, t18=67),
    row(FOUR, t0=64, t2=66, t4=67, t6=69, t12=67),
    row(FOUR, t0=None, t12=67, t18=66, t19=67, t21=69, t23=71),
    row(FOUR, t0=67),
]


def heard(rows: Sequence[Row | None], shift: int) -> list[list[int] | None]:
    """Rows with sounding pitches (plus 1000) in place of tokens: comparable whatever the shift."""
    return [
        None if r is None else [t if t < FIRST_PITCH else t - FIRST_PITCH + LOWEST - shift + 1000 for t in r.tolist()]
        for r in rows
    ]


def canonical(rows: Sequence[Row | None], like: Sequence[Row | None] | None = None) -> Rows:
    """Rows as reading gives them. A note may ring in after None only where it does in `like`."""
    result: Rows = []
    sounding = False
    for m, one in enumerate(rows):
        if one is None:
            result.append(None)
            continue
        fresh = one.copy()
        if m == 0 or rows[m - 1] is None:
            before = like[m] if like is not None else None
            sounding = before is not None and before[0] == HOLD
        for tick, value in enumerate(fresh.tolist()):
            if tick == 0 and value == HOLD and not sounding:
                fresh[0] = REST
            elif value == REST and not sounding and tick > 0:
                fresh[tick] = HOLD
            sounding = value >= FIRST_PITCH or (sounding and value != REST)
        result.append(fresh)
    return result


# Strategies


def pitches() -> st.SearchStrategy[int]:
    return st.integers(token(LOW), token(HIGH))


@st.composite
def any_row(draw: st.DrawFn, meter: Meter) -> Row:
    """Anything the grid can say."""
    events = draw(st.dictionaries(st.integers(0, meter.ticks - 1), st.one_of(pitches(), st.just(REST)), max_size=9))
    tokens = np.full(meter.ticks, HOLD, dtype=np.int16)
    for tick, value in events.items():
        tokens[tick] = value
    return tokens


@st.composite
def plain_row(draw: st.DrawFn, meter: Meter) -> Row:
    """Duple or triple beats, and rests of an eighth or more on eighths: what is clear also when it is played."""
    tokens = np.full(meter.ticks, HOLD, dtype=np.int16)
    for beat in range(meter.beats):
        if meter.halved:  # short beats are played in halves, or in thirds of a dotted eighth
            ticks: Sequence[int] = (0, 2, 4) if meter.compound else (0, 3)
        else:
            ticks = range(6) if meter.compound else draw(st.sampled_from([(0,), (0, 3), DUPLE, TRIPLE]))
        chosen = [tick for tick in ticks if draw(st.booleans())]
        for tick in chosen:
            tokens[6 * beat + tick] = draw(pitches())
        if not chosen and draw(st.booleans()):
            tokens[6 * beat] = REST
    return tokens


@st.composite
def melodies(
    draw: st.DrawFn, rows: Callable[[Meter], st.SearchStrategy[Row]] = any_row, most: int = 6
) -> tuple[list[Row], list[Meter]]:
    """Canonical rows with at least one note, in one meter or two. Played rows have no beats of a sixteenth."""
    known = [meter for meter in all_meters() if meter.halved < 2 or rows is not plain_row]
    kinds = draw(st.lists(st.sampled_from(known), min_size=1, max_size=2))
    meters = [kinds[i * len(kinds) // most] for i in range(draw(st.integers(1, most)))]
    drawn = [draw(rows(meter)) for meter in meters]
    drawn[0][0] = draw(pitches())
    return [r for r in canonical(drawn) if r is not None], meters


# Building files with mido


@dataclass(frozen=True)
class Performed:
    start: int
    end: int
    pitch: int
    velocity: int = 80


def nominal(rows: Sequence[Row | None], meters: Sequence[Meter], tpq: int) -> list[tuple[TokenNote, int, int]]:
    """The notes of rows with their nominal file ticks."""
    bars = [int(sum(m.quarters for m in meters[:i]) * tpq) for i in range(len(meters) + 1)]
    place = lambda m, t: bars[m] + round(meters[m].tick_quarters[t] * tpq)  # noqa: E731
    return [(n, place(n.measure, n.tick), place(n.end_measure, n.end_tick)) for n in notes_of(rows, 0)]


def exact(rows: Sequence[Row | None], meters: Sequence[Meter], tpq: int = 480, late: int = 0) -> list[Performed]:
    return [
        Performed(start + late, end + late, note.pitch, 60 + 5 * (i % 7))
        for i, (note, start, end) in enumerate(nominal(rows, meters, tpq))
    ]


def note_messages(notes: Sequence[Performed], channel: int = 0, zero: bool = False) -> list[tuple[int, mido.Message]]:
    """(tick, message), note-offs first at equal ticks."""
    timed: list[tuple[int, int, mido.Message]] = []
    for note in notes:
        on = mido.Message("note_on", note=note.pitch, velocity=note.velocity, channel=channel)
        off = mido.Message("note_off", note=note.pitch, velocity=50 + note.pitch % 9, channel=channel)
        if zero:
            off = mido.Message("note_on", note=note.pitch, velocity=0, channel=channel)
        timed += [(note.start, 1, on), (note.end, 0, off)]
    return [(tick, message) for tick, _, message in sorted(timed, key=lambda t: t[:2])]


def track(events: Sequence[tuple[int, mido.Message | mido.MetaMessage]], end: int | None = None) -> mido.MidiTrack:
    """A track from absolute ticks; a stable sort."""
    result, last = mido.MidiTrack(), 0
    for tick, message in sorted(events, key=lambda e: e[0]):
        result.append(message.copy(time=tick - last))
        last = tick
    result.append(mido.MetaMessage("end_of_track", time=max(0, (end or 0) - last)))
    return result


def save(tracks: Sequence[mido.MidiTrack], kind: int = 1, tpq: int = 480) -> bytes:
    file = mido.MidiFile(type=kind, ticks_per_beat=tpq)
    file.tracks.extend(tracks)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def signature(numerator: int, denominator: int) -> mido.MetaMessage:
    return mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)


def name(text: str) -> mido.MetaMessage:
    return mido.MetaMessage("track_name", name=text)


def conductor(*events: tuple[int, mido.MetaMessage]) -> mido.MidiTrack:
    return track([(0, mido.MetaMessage("set_tempo", tempo=500000)), *(events or ((0, signature(4, 4)),))])


BAR = 4 * 480
END = len(TUNE) * BAR


def chords(channel: int = 1, low: int = 48) -> list[tuple[int, mido.Message]]:
    notes = [Performed(b * BAR, (b + 1) * BAR, low + i) for b in range(len(TUNE)) for i in (0, 4, 7)]
    return note_messages(notes, channel)


def drums() -> list[tuple[int, mido.Message]]:
    return note_messages([Performed(t, t + 60, 36 + t % 7) for t in range(0, END, 240)], 9)


def tune(late: int = 0, zero: bool = False, channel: int = 0) -> list[tuple[int, mido.Message]]:
    return note_messages(exact(TUNE, [FOUR] * len(TUNE), late=late), channel, zero)


def type_0() -> bytes:
    events = [(0, signature(4, 4)), (0, mido.Message("program_change", program=73, channel=0))]
    return save([track([*events, *tune(), *chords(), *drums()], END)], kind=0)


def type_1() -> bytes:
    return save(
        [
            conductor(),
            track([(0, name("Piano")), *chords()]),
            track([(0, name("Flute")), *tune(channel=2)], END),
        ]
    )


def tempo_and_meter_map() -> bytes:
    """The tune's five bars of 4/4, one of 7/8, and the tune's first again."""
    again = exact(TUNE[:1], [FOUR])
    at = END + 7 * 240
    extra = [Performed(END, END + 240, 72), Performed(END + 240, at, 71)]
    extra += [Performed(n.start + at, n.end + at, n.pitch) for n in again]
    tempi = [(t, mido.MetaMessage("set_tempo", tempo=400000 + t)) for t in range(0, at, 480)]
    events = [(0, signature(4, 4)), (END, signature(7, 8)), (at, signature(4, 4)), *tempi]
    return save([track(events), track([(0, name("Tune")), *tune(), *note_messages(extra)], at + BAR)])


def everything_else() -> bytes:
    """Messages of every kind between the notes."""
    other: list[tuple[int, mido.Message | mido.MetaMessage]] = [(0, name("Solo"))]
    for i, t in enumerate(range(0, END, 240)):
        other += [
            (t, mido.Message("pitchwheel", pitch=i * 50 - 800)),
            (t, mido.Message("control_change", control=11, value=i % 128)),
            (t, mido.Message("aftertouch", value=i % 128)),
            (t + 7, mido.Message("polytouch", note=67, value=i % 128)),
            (t, mido.MetaMessage("lyrics", text=f"la{i}é")),
            (t + 100, mido.MetaMessage("marker", text=f"m{i}")),
            (t, mido.Message("sysex", data=(0x7E, 0x7F, i % 128))),
            (t, mido.MetaMessage("sequencer_specific", data=(0, 1, i))),
        ]
    return save([conductor(), track([*other, *tune()], END)])


def one_tick_late() -> bytes:
    return save([conductor(), track(tune(late=1), END)])


def one_tick_late_coarse() -> bytes:
    """At 24 ticks in a quarter note, where a tick is half the way from a sixteenth to a triplet."""
    notes = exact(TUNE, [FOUR] * len(TUNE), tpq=24, late=1)
    return save([conductor(), track(note_messages(notes), len(TUNE) * 96)], tpq=24)


def legato() -> bytes:
    """Each note lasts 40 ticks into the next."""
    rows = [r for r in TUNE if r is not None]
    notes = [Performed(n.start, n.end + 40, n.pitch, n.velocity) for n in exact(rows, [FOUR] * len(rows))]
    return save([conductor(), track(note_messages(notes, zero=True), END)])


def off_grid_in_the_middle() -> bytes:
    """A note between the ticks in the third bar."""
    off = 2 * BAR + 2 * 80
    events = [(t + 30 if t == off else t, m) for t, m in tune()]
    return save([conductor(), track(events, END)])


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body)) + body


def running_status() -> bytes:
    """Hand-written: running status, velocity 0 as note-off, long deltas, Latin-1, events after the end."""
    parts, last = (
        [b"\x80\x00\xff\x03\x05M\xe9lo ", b"\x00\xff\x58\x04\x04\x02\x18\x08", b"\x00\xff\x60\x02ab"],
        0,
    )
    for i, (tick, message) in enumerate(tune(zero=True)):
        delta = tick - last
        last = tick
        status = b"\x90" if i == 0 else b""
        parts.append(bytes([0x80 | delta >> 14, 0x80 | delta >> 7 & 0x7F, delta & 0x7F]) + status)
        parts.append(bytes([message.note, message.velocity]))
    body = b"".join(parts) + b"\x00\xff\x2f\x00" + b"\x00\xff\x01\x03end"
    header = chunk(b"MThd", struct.pack(">HHH", 1, 1, 480))
    return header + chunk(b"XFIH", b"whatever") + chunk(b"MTrk", body) + chunk(b"XFKM", b"more") + b"tail"


def no_end_of_track() -> bytes:
    data = save([track([(0, signature(4, 4)), *tune()])], kind=0)
    start = data.index(b"MTrk")
    return data[:start] + chunk(b"MTrk", data[start + 8 : -4])


def type_2() -> bytes:
    """Two independent pieces; the first is in 3/4."""
    waltz = exact([row(Meter(3), t0=55, t6=None), row(Meter(3), t0=52)], [Meter(3)] * 2)
    first = track([(0, signature(3, 4)), *note_messages(waltz)], 2 * 1440)
    return save([first, track([(0, name("Melody")), (0, signature(4, 4)), *tune()], END)], kind=2)


def rmi() -> bytes:
    data = type_1()
    body = b"RMIDdata" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


KNOWN_HARD: dict[str, Callable[[], bytes]] = {
    build.__name__: build
    for build in (
        type_0, type_1, tempo_and_meter_map, everything_else, one_tick_late, one_tick_late_coarse, legato,
        off_grid_in_the_middle, running_status, no_end_of_track, type_2, rmi,
    )
}  # fmt: skip
