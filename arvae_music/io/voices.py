"""Choose the voice of a file that is the melody, and explain the choice. `channels` tells what a voice is.

The rules, in order:

1. The user may give `track` and `channel`. A track is a number from 1, its name, or a part of its name that no other
   track with notes has.
2. Otherwise drums (channel 10) are left out. If one voice remains, it is the melody.
3. Otherwise the voice with the highest score is the melody (see `ranking`). If arvae can edit no measure of it, the
   next one is tried, and `Found.why` says so.

If the voice plays several notes at once, a line of it is the melody: see `lines`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .channels import DRUMS, Voice
from .lines import LineName
from .ranking import Feature, Sounding, reasons, scores_of, share_together


@dataclass(frozen=True)
class Candidate:
    """One voice of a file, for choosing and for `arvae inspect`."""

    track: int  # from 1
    channel: int  # from 1; the lowest of `channels`
    name: str  # of the track, or of its instrument; may be empty
    program: int | None  # General MIDI, 0 to 127, at its first note
    notes: int
    low: int  # MIDI pitch
    high: int
    mean: float
    polyphony: float  # share of the notes that begin while another note sounds
    channels: tuple[int, ...]
    score: float | None  # how likely it is the melody; None for drums
    strengths: tuple[str, ...]  # what speaks most for it, compared with the others

    @property
    def drums(self) -> bool:
        return self.channel == DRUMS

    @property
    def label(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"track {self.track}{name}"


@dataclass(frozen=True)
class Found:
    """The voice that was chosen as the melody. Tracks and channels count from 1; `why` explains the choice."""

    track: int
    name: str
    channel: int  # the lowest of `channels`
    program: int | None
    why: str
    channels: tuple[int, ...]
    voice: LineName | None = None  # the line of a track that plays several notes at once; None if it does not
    stay: int = 0  # how many other notes of these channels of the track stay as they are


@dataclass(frozen=True)
class Choice:
    """A voice that may be the melody, and a sentence that explains why."""

    at: int  # index into the candidates
    candidate: Candidate
    why: str


def candidates_of(
    voices: Sequence[Voice], ticks_per_quarter: int, syllables: Collection[int] = (), *, score_lone: bool = True
) -> list[Candidate]:
    """The voices of a piece with their scores. `syllables` are the ticks of the lyrics. Without `score_lone`, a voice
    with which no other competes has no score, which takes time."""
    tpq = ticks_per_quarter
    pitched = [i for i, voice in enumerate(voices) if not voice.drums]
    scored = pitched if score_lone or len(pitched) > 1 else []
    sounding = [
        Sounding(voice.name, voice.program, voice.start / tpq, voice.end / tpq, voice.pitch, voice.velocity)
        for voice in (voices[i] for i in scored)
    ]
    parts = dict(zip(scored, scores_of(sounding, [tick / tpq for tick in syllables]), strict=True))
    ranked = list(parts.values())
    return [
        _candidate(voice, parts.get(i), reasons(ranked, pitched.index(i)) if i in parts and len(parts) > 1 else [])
        for i, voice in enumerate(voices)
    ]


def _candidate(voice: Voice, parts: dict[Feature, float] | None, strengths: Sequence[Feature]) -> Candidate:
    pitch = voice.pitch
    return Candidate(
        voice.track, voice.channels[0], voice.name, voice.program,
        len(pitch), int(pitch.min()), int(pitch.max()), float(np.mean(pitch)),
        share_together(voice.start, voice.end), voice.channels,
        None if parts is None else round(sum(parts.values()), 2),
        tuple(feature.value for feature in strengths),
    )  # fmt: skip


def choose(
    candidates: Sequence[Candidate], track: int | str | None, channel: int | None, where: str
) -> list[Choice]:
    """The voices that may be the melody, the likeliest first. Raises InputError if none fits what the user gave."""
    if not candidates:
        raise InputError("it holds no notes", where=where)
    said: list[str] = []
    pool = list(candidates)
    if track is not None:
        pool = _on_track(pool, track, where)
        said.append(f"track {track}")
    if channel is not None:
        pool = _on_channel(pool, channel, where)
        said.append(f"channel {channel}")
    if said and len(pool) == 1:
        return [Choice(candidates.index(pool[0]), pool[0], f"you chose {' and '.join(said)}")]
    melodic = sorted((c for c in pool if not c.drums), key=lambda c: -(c.score or 0.0))
    if not melodic:
        what = "it holds only drums (channel 10)" if track is None else "that track holds only drums"
        raise InputError(what, where=where, remedy="give channel=10 to use them")
    within = f"within {' and '.join(said)}, " if said else ""  # for instance "within track 2, it is ..."
    if len(melodic) == 1:
        return [Choice(candidates.index(melodic[0]), melodic[0], f"{within}it is the only voice with notes")]
    return [Choice(candidates.index(c), c, f"{within}{_why(c, len(melodic))}") for c in melodic]


def _why(candidate: Candidate, count: int) -> str:
    if not candidate.strengths:
        return f"it is the likeliest of {count} voices"
    return f"the likeliest of {count} voices: {' and '.join(candidate.strengths)}"


def _on_track(candidates: list[Candidate], track: int | str, where: str) -> list[Candidate]:
    if isinstance(track, int) or track.isdecimal():
        own = [c for c in candidates if c.track == int(track)]
        problem = f"there is no track {track} with notes"
    else:
        own = _named(candidates, track)
        problem = f"there is no track named {track!r}"
    if own:
        return own
    names = sorted({c.name for c in candidates if c.name})
    near = difflib.get_close_matches(str(track), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    labels = list(dict.fromkeys(c.label for c in candidates))
    raise InputError(problem, where=where, remedy=f"{hint}notes are on {', '.join(labels)}")


def _named(candidates: list[Candidate], name: str) -> list[Candidate]:
    """The candidates with this name, or else those of the only track with this part in its name."""
    wanted = name.casefold().strip()
    whole = [c for c in candidates if c.name.casefold() == wanted]
    part = [c for c in candidates if wanted and wanted in c.name.casefold()]
    return whole or (part if len({c.track for c in part}) == 1 else [])


def _on_channel(candidates: list[Candidate], channel: int, where: str) -> list[Candidate]:
    own = [c for c in candidates if channel in c.channels]
    if not own:
        used = ", ".join(str(n) for n in sorted({n for c in candidates for n in c.channels}))
        raise InputError(f"there are no notes on channel {channel}", where=where, remedy=f"notes are on channel {used}")
    return own
