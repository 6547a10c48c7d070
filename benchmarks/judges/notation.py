"""Melodies as text for musicians: ABC notation, a line for each measure, the edit beside the original.

Lengths count eighths, as with L:1/8. Notes of the key signature carry no accidental, others do. A measure that begins
with a note that is held over from the one before begins with a dash.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from arvae_music.music.keys import in_key, pitch_name
from arvae_music.music.melody import Melody
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import FIRST_PITCH, HOLD, LOWEST, REST

from .events import places

EIGHTH = 6  # twelfths of a quarter note
_ACCIDENTALS = {"": "=", "#": "^", "b": "_", "##": "^^", "bb": "__"}


def measure(row: npt.NDArray[np.int16], meter: Meter, shift: int, fifths: int) -> str:
    """One measure in ABC."""
    at = np.flatnonzero(row != HOLD).tolist()
    starts = at if at and at[0] == 0 else [0, *at]
    place = places(meter)
    words = []
    for start, end in zip(starts, [*starts[1:], len(row)], strict=True):
        token = int(row[start])
        name = "-" if token == HOLD else "z" if token == REST else _note(token, shift, fifths)
        words.append(name + _length(place[end] - place[start]))
    return " ".join(words)


def _note(token: int, shift: int, fifths: int) -> str:
    name = pitch_name(token - FIRST_PITCH + LOWEST - shift, fifths)
    letter, octave = name[0], int(name.lstrip("ABCDEFG#b"))
    sign = "" if in_key(np.array([token]))[0] else _ACCIDENTALS[name[1:].rstrip("-0123456789")]
    marks = "'" * (octave - 5) if octave > 4 else "," * (4 - octave)
    return sign + (letter.lower() if octave > 4 else letter) + marks


def _length(twelfths: int) -> str:
    divisor = int(np.gcd(twelfths, EIGHTH))
    over, under = twelfths // divisor, EIGHTH // divisor
    return (str(over) if over > 1 else "") + (f"/{under}" if under > 1 else "")


def side_by_side(before: Melody, after: Melody) -> str:
    """Both melodies, a line for each measure; a star marks those that changed."""
    lines = []
    for one, other in zip(before.bars, after.bars, strict=True):
        if one.tokens is None or other.tokens is None or one.meter is None:
            lines.append(f"  {one.number:3} {one.signature:5} ({one.reason})")
            continue
        old, new = (measure(bar.tokens, one.meter, before.shift, before.fifths) for bar in (one, other))
        mark = " " if old == new else "*"
        lines.append(f"{mark} {one.number:3} {one.signature:5} {old:44} | {new if old != new else ''}".rstrip())
    return "\n".join(lines)
