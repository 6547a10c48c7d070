"""Songs and edits as plain data for the page: times in seconds, values in musical units.

    describe_song(song, model)      its tracks with their notes, measures, chords, and what the sliders can do
    describe_edit(edit)             the melody after the edit, note by note, and the figures of the report

A note is [start, end, pitch, velocity]; one of an edited melody has a fifth item, which tells whether it is as it was
("kept"), has another pitch ("moved"), or begins where no note began ("new").
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..io.lines import TOP
from ..io.midi_events import FileNote
from ..music.meter import Meter
from ..reports.measures import attribute_values
from ..system.outputs import MIDI
from .shelf import Edit, OpenSong

if TYPE_CHECKING:
    from ..io.manner import Sound
    from ..io.midi import Song
    from ..io.performance import PlayedNote, PlayedTrack
    from ..library import Model

DECIMALS = 4  # of seconds
VALUE_DECIMALS = 6
LABELS = {"range": "pitch range", "rhythm": "rhythmic complexity", "contour": "contour", "pitch": "mean pitch"}

PlainNote = list[Any]
N = TypeVar("N", FileNote, "Sound")


def describe_attributes(model: Model) -> list[dict[str, Any]]:
    """The sliders of a model. `step` is the smallest change of a measure, in the unit."""
    meter = Meter.parse("4/4")
    return [
        {
            "name": spec.name,
            "unit": spec.unit.names[0],
            "label": LABELS.get(spec.name, spec.name),
            "what": spec.description,
            "step": round(float(grain / spec.unit.size(meter)), VALUE_DECIMALS),
        }
        for spec, grain in zip(model.specs, model.grain(meter), strict=True)
    ]


def describe_song(opened: OpenSong, model: Model) -> dict[str, Any]:
    from ..reports.listings import notice_lines
    from ..reports.summaries import key_name, melody_line

    song, played = opened.song, opened.performance
    melody, found = song.melody, song.found
    values = attribute_values(melody, model.specs)
    barlines = played.seconds([max(bar.start, 0) for bar in melody.bars] + [melody.bars[-1].end]).tolist()
    return {
        "id": opened.id,
        "name": opened.name,
        "file": _stem(opened),
        "duration": round(max(played.duration, barlines[-1]), DECIMALS),
        "ticks_per_quarter": song.ticks_per_quarter,
        "tempo": round(song.tempo, 3),
        "key": key_name(melody.fifths),
        "meter": melody.bars[0].signature,
        "measures": [
            {
                "number": bar.number,
                "start": round(barlines[i], DECIMALS),
                "end": round(barlines[i + 1], DECIMALS),
                "meter": bar.signature,
                "editable": bar.tokens is not None,
                "reason": bar.why,
                "values": values.get(i),
            }
            for i, bar in enumerate(melody.bars)
        ],
        "tracks": [_track(track, song) for track in played.tracks],
        "chords": _chords(opened, barlines),
        "melody": {
            "track": found.track,
            "voice": str(found.voice or TOP),
            "reason": melody_line(song),
            "notes": [_note(note, *times) for note, times in _timed(song.notes, opened)],
        },
        "notices": notice_lines(song.notices),
        "sliders": _sliders(song, model, values),
    }


def _stem(item: OpenSong | Edit) -> str:
    """The name of its files without the suffix."""
    return Path(item.file_name(MIDI)).stem


def _track(track: PlayedTrack, song: Song) -> dict[str, Any]:
    melody = track.number == song.found.track and track.channel in song.found.channels
    notes = [_note(note, note.start, note.end) for note in track.notes]
    return {**_name(track), "name": track.name, "drum": track.drum, "melody": melody, "notes": notes}


def _name(track: PlayedTrack) -> dict[str, int]:
    """What tells a track from the others. One track of a file may play several channels and instruments."""
    return {"number": track.number, "channel": track.channel, "program": track.program}


def _timed(notes: Sequence[N], opened: OpenSong) -> Iterable[tuple[N, tuple[float, float]]]:
    """Notes of the file with the seconds of their start and end."""
    starts = opened.performance.seconds([note.start for note in notes]).tolist()
    ends = opened.performance.seconds([note.end for note in notes]).tolist()
    return zip(notes, zip(starts, ends, strict=True), strict=True)


def _note(note: FileNote | Sound | PlayedNote, start: float, end: float) -> PlainNote:
    return [round(start, DECIMALS), round(end, DECIMALS), note.pitch, note.velocity]


def _chords(opened: OpenSong, barlines: Sequence[float]) -> list[dict[str, Any]]:
    """The chords, each until the next one. A chord that is not known has no name, and is left out."""
    melody, tpq = opened.song.melody, opened.song.ticks_per_quarter
    found: list[tuple[float, str]] = []
    for i, bar in enumerate(melody.bars):
        named = () if bar.harmony is None else bar.harmony.chords
        if not named:
            found.append((max(bar.start, 0), ""))
        # A pickup is shorter than its meter says: its chords are counted from where a whole measure would begin.
        origin = bar.end - float(bar.quarters) * tpq if bar.number == 0 else bar.start
        for at, chord in named:
            name = "" if chord is None else chord.name(melody.key_at(i))
            tick = origin + float(at) * tpq
            if tick < bar.end:
                found.append((max(tick, bar.start, 0), name))
    times = [*opened.performance.seconds([tick for tick, _ in found]).tolist(), barlines[-1]]
    spans: list[dict[str, Any]] = []
    for (_, name), start, end in zip(found, times, times[1:], strict=False):
        start, end = round(start, DECIMALS), round(end, DECIMALS)
        if spans and spans[-1]["name"] == name and spans[-1]["end"] == start:
            spans[-1]["end"] = end
        elif name and end > start:
            spans.append({"start": start, "end": end, "name": name})
    return spans


def _sliders(song: Song, model: Model, values: dict[int, dict[str, float]]) -> dict[str, dict[str, Any]]:
    """For each attribute its mean in the song, and the lowest and highest value and one sd in the model's corpus, all
    in the unit of the commonest meter."""
    meters = Counter(bar.meter for bar in song.melody.bars if bar.tokens is not None and bar.meter is not None)
    meter = meters.most_common(1)[0][0]
    found: dict[str, dict[str, Any]] = {}
    for spec, scale in zip(model.specs, model.metadata.scales, strict=True):
        size = spec.unit.size(meter)
        _, sd = scale.in_meter(model.parts(meter)[0].name)
        highest = max(scale.quantiles[-1], spec.most(meter)) if spec.most else scale.quantiles[-1]
        found[spec.name] = {
            "mean": round(float(np.mean([own[spec.name] for own in values.values()])), VALUE_DECIMALS),
            "lowest": round(scale.quantiles[0] / size, VALUE_DECIMALS),
            "highest": round(highest / size, VALUE_DECIMALS),
            "sd": round(sd / size, VALUE_DECIMALS),
            "unit": spec.unit.names[0],
        }
    return found


# ------------------------------------------------------------------------------------------ edits


def describe_edit(edit: Edit) -> dict[str, Any]:
    from ..reports.listings import notice_lines
    from ..reports.score_lines import score_lines
    from ..reports.summaries import edit_lines, melody_line, requested_rows
    from ..reports.unchanged import reasons

    song, result = edit.of.song, edit.result
    lines = song.sounds(result.melody.rows)
    melody = lines[song.found.track - 1][0]
    kept = {note.note for note in melody}
    tracks = _changed_tracks(edit.of, lines)
    own = [one for one in tracks if one["number"] == song.found.track and one["channel"] in song.found.channels]
    report = [f"melody: {melody_line(song)}", *score_lines(song), *notice_lines(song.notices)]
    report += edit_lines(result, edit.request, edit.model)
    return {
        "id": edit.id,
        "song": edit.of.id,
        "file": _stem(edit),
        "settings": edit.settings.to_json(),
        "melody": [[*_note(note, *times), _fate(note)] for note, times in _timed(melody, edit.of)],
        "notes": own[0]["notes"],
        "tracks": tracks,
        "removed": [
            _note(note, *times) for i, (note, times) in enumerate(_timed(song.notes, edit.of)) if i not in kept
        ],
        "attributes": requested_rows(result, edit.request, edit.model),
        "changed": [bar.number for bar in result.bars if bar.changed],
        "left_alone": [
            {"measure": number, "reason": reason} for number, reason in reasons(result, edit.request).items()
        ],
        "seed": edit.request.seed,
        "model": edit.model.name,
        "report": "\n".join([edit.of.name, *(f"  {line}" for line in report)]),
        "ms": edit.milliseconds,
    }


def _fate(note: Sound) -> str:
    return "kept" if note.note is not None else "new" if note.movable else "moved"


def _changed_tracks(opened: OpenSong, lines: Mapping[int, Sequence[Sequence[Sound]]]) -> list[dict[str, Any]]:
    """The notes of the tracks that have the melody or its doubles, after the edit. `lines` are by the index of the
    track."""
    song = opened.song
    before: dict[int, list[FileNote]] = defaultdict(list)
    before[song.found.track - 1] += song.notes
    for double in song.doubles:
        before[double.track] += double.line.notes
    found: list[dict[str, Any]] = []
    for index, after in lines.items():
        tracks = [track for track in opened.performance.tracks if track.number == index + 1]
        gone = Counter(
            (note.channel + 1, *times, note.pitch, note.velocity) for note, times in _timed(before[index], opened)
        )
        notes: list[list[PlainNote]] = []
        for track in tracks:
            notes.append([])
            for note in track.notes:
                key = (track.channel, *note)
                if gone[key]:
                    gone[key] -= 1
                else:
                    notes[-1].append(_note(note, note.start, note.end))
        for new, times in _timed([note for line in after for note in line], opened):
            notes[_home(new, times[0], tracks)].append(_note(new, *times))
        found += [_name(track) | {"notes": sorted(own)} for track, own in zip(tracks, notes, strict=True)]
    return found


def _home(note: Sound, start: float, tracks: Sequence[PlayedTrack]) -> int:
    """Which of the tracks plays a note: the one of its channel that played last."""
    own = [i for i, track in enumerate(tracks) if track.channel == note.channel + 1]

    def last(i: int) -> float:
        return max((before.start for before in tracks[i].notes if before.start <= start), default=-1.0)

    return own[0] if len(own) == 1 else max(own, key=last)
