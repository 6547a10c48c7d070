"""What the report of a song says about the score that it was read from."""

from __future__ import annotations

from ..io.midi import Song
from ..system.outputs import SCORE_SUFFIXES

MELODY_ALONE = "the score holds the melody alone (its measures, key and tempo), and no other notes of the MIDI file"


def score_lines(song: Song, suffix: str = ".mid") -> list[str]:
    """For a song from a score: whether its repeats are played, and what of the score is not in the MIDI file. For a
    MIDI file whose edit is written as a score, with the `suffix` of one: what of the file is not in the score."""
    score = song.score
    if score is None:
        return [MELODY_ALONE] if suffix.lower() in SCORE_SUFFIXES else []
    lines = []
    if score.has_repeats:
        read, other = ("as played", "on the page") if score.unfolded else ("on the page", "as played")
        counts = (score.played, score.printed) if score.unfolded else (score.printed, score.played)
        hint = "" if score.unfolded else " (--unfold)"
        lines.append(f"measures: those {read}, {counts[0]}; {other} there are {counts[1]}{hint}")
    if score.left_out:
        lines.append(f"left out: {', '.join(kind.count(number) for kind, number in score.left_out.items())}")
    return lines
