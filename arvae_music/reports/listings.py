"""What a MIDI file holds: its voices, its tracks without notes, and its oddities, as data and as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..io.contents import Contents
from ..io.notices import Notice
from ..io.voices import Candidate, Found
from ..music.keys import pitch_name

LISTED = 12  # the most oddities that a report lists
VOICE_HEADINGS = ("", "track", "channel", "name", "notes", "from", "to", "overlapping", "score")  # of `voice_rows`


def notice_lines(notices: Sequence[Notice]) -> list[str]:
    """What is odd about a file, at most LISTED oddities."""
    more = [f"and {len(notices) - LISTED} more oddities"] if len(notices) > LISTED else []
    return [f"note: {text}" for text in [*map(str, notices[:LISTED]), *more]]


def notices_json(notices: Sequence[Notice]) -> list[dict[str, Any]]:
    return [
        {"oddity": one.oddity.name.lower(), "track": one.track, "tick": one.tick, "count": one.count, "text": str(one)}
        for one in notices
    ]


def describe_contents(contents: Contents) -> dict[str, Any]:
    """A file without a melody that can be edited, as plain data: its tracks, its voices and its oddities."""
    tracks = [
        {"track": i, "name": name, "notes": len(notes)}
        for i, (name, notes) in enumerate(zip(contents.names, contents.notes, strict=True), start=1)
    ]
    return {"tracks": tracks, "voices": contents.candidates, "notices": notices_json(contents.notices)}


def contents_rows(contents: Contents) -> list[tuple[str, ...]]:
    """The rows of `voice_rows` without a melody, and a row for each track without notes."""
    rows = voice_rows(contents.candidates)
    silent = [i for i, notes in enumerate(contents.notes) if not notes]
    rows += [("", str(i + 1), "", contents.names[i], "0", "", "", "", "") for i in silent]
    return sorted(rows, key=lambda row: int(row[1]))


def voice_rows(candidates: Sequence[Candidate], found: Found | None = None) -> list[tuple[str, ...]]:
    """For each voice: a star if it is the melody, track, channels, name, notes, lowest, highest, overlaps, score."""
    rows: list[tuple[str, ...]] = []
    for voice in candidates:
        star = "*" if found and (voice.track, voice.channel) == (found.track, found.channel) else ""
        channels = "10, drums" if voice.drums else channels_text(voice.channels).partition(" ")[2]
        span = (pitch_name(voice.low), pitch_name(voice.high), f"{voice.polyphony:.0%}")
        score = "" if voice.score is None else f"{voice.score:.1f}"
        rows.append((star, str(voice.track), channels, voice.name, str(voice.notes), *span, score))
    return rows


def channels_text(channels: Sequence[int]) -> str:
    """`channel 3`, `channels 2 to 5`, `channels 2, 4`."""
    first, *more = channels
    if not more:
        return f"channel {first}"
    joined = f"{first} to {more[-1]}" if more[-1] - first == len(more) else ", ".join(map(str, channels))
    return f"channels {joined}"
