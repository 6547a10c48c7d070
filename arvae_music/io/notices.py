"""What is odd about a MIDI file that arvae reads nevertheless.

Real files break the Standard MIDI File specification in many ways, and players play them. arvae reads what a file
holds, keeps every byte that an edit does not change, and states what is odd:

    song.notices            the oddities of a file
    str(song.notices[0])    "track 4: a data byte above 127, at tick 960; arvae keeps it"
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum


class Oddity(Enum):
    """A kind of oddity. The value is a sentence with the fields of a `Notice`."""

    # the file
    MACBINARY = "a MacBinary header precedes the MIDI data; arvae keeps it"
    BEFORE_HEADER = "{count} bytes precede the MIDI header; arvae keeps them"
    RIFF_SIZE = "a size in the RIFF wrapper is wrong; an edit corrects it"
    HEADER_SIZE = "the size of the header is wrong; arvae reads on after 6 bytes and keeps it"
    TRACK_COUNT = "the header announces another number of tracks than the {count} of the file; arvae reads them all"
    BETWEEN_CHUNKS = "{count} bytes between the tracks belong to no chunk; arvae keeps them"
    AFTER_CHUNKS = "{count} bytes follow the last chunk; arvae keeps them"
    # a track
    CHUNK_SIZE = "the size of its chunk is wrong; arvae reads it up to the next track"
    CUT_OFF = "it is cut off; {count} bytes are missing"
    UNREADABLE = "it cannot be read from tick {tick} on; arvae keeps its last {count} bytes"
    DATA_BYTE = "{count} events with a data byte above 127, the first at tick {tick}; arvae keeps them"
    RUNNING_STATUS = "{count} events take their status from before a meta event or sysex, the first at tick {tick}"
    NO_END = "it has no end-of-track event"
    AFTER_END = "{count} bytes follow its end; arvae keeps them"
    # the melody
    NO_NOTE_OFF = "{count} notes never end in the file, the first at tick {tick}; each is read up to the next note"
    NO_LENGTH = "{count} notes without a length, the first at tick {tick}; arvae leaves them as they are"
    KEY_SWITCH = "{count} notes far from the melody, the first at tick {tick}, are read as key switches and stay"


@dataclass(frozen=True)
class Notice:
    """One oddity of a file. `str` makes a sentence of it."""

    oddity: Oddity
    count: int = 1  # how many bytes, events, notes or tracks
    tick: int = 0  # the first place
    track: int | None = None  # from 1; None for the whole file

    def on(self, track: int) -> Notice:
        """The same notice about a track, counted from 1."""
        return replace(self, track=track)

    def __str__(self) -> str:
        text = self.oddity.value.format(count=self.count, tick=self.tick)
        if self.count == 1:
            for plural, singular in _SINGULAR:
                text = text.replace(plural, singular)
        return text if self.track is None else f"track {self.track}: {text}"


_SINGULAR = (
    ("1 bytes between the tracks belong", "1 byte between the tracks belongs"),
    ("1 bytes precede", "1 byte precedes"),
    ("1 bytes follow", "1 byte follows"),
    ("1 bytes are missing", "1 byte is missing"),
    ("its last 1 bytes", "its last byte"),
    ("1 events take their status", "1 event takes its status"),
    ("1 events with", "an event with"),
    (", the first at tick", ", at tick"),
    ("1 notes never end in the file", "a note never ends in the file"),
    ("; each is read up to", "; it is read up to"),
    ("1 notes without", "a note without"),
    ("1 notes far from", "a note far from"),
    ("are read as key switches and stay", "is read as a key switch and stays"),
    ("leaves them as they are", "leaves it as it is"),
    ("keeps them", "keeps it"),
)
