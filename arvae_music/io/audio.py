"""MIDI files as sound: `wav(data)` plays all tracks of a file, drums included, into a WAV file.

With FluidSynth (the package pyfluidsynth and its library), the tracks sound through the SoundFont that pretty_midi
installs. Without it, pretty_midi's own synthesis plays them with the waveforms of `TIMBRES`, one for each family of
General MIDI instruments, and drums are noise and falling tones. Both follow pitch bends; the own synthesis also follows
the volume of a channel (controllers 7 and 11), as it is where a note begins. The result is mono, 16 bits, and its
loudest sample is PEAK.

A song is rendered in pieces of PIECE seconds, so that the memory does not grow with it, except for the file itself. A
note belongs to the piece in which it begins, and rings on into the next ones.
"""

from __future__ import annotations

import importlib
import io
import tempfile
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Float64s
from ..errors import InputError
from .performance import EXPRESSION, VOLUME, Bend, Control, Performance, PlayedNote, PlayedTrack, performance

if TYPE_CHECKING:
    from pretty_midi import Instrument

RATE = 44_100  # samples a second
PEAK = 0.89  # of the largest sample value: -1 dB
LONGEST = 1800.0  # seconds of music that become a file
PIECE = 30  # seconds that are rendered at once
FADED = 12.0  # seconds after which pretty_midi's decay has made a note too quiet for 16 bits
RELEASE = 0.09  # seconds that a note sounds on; pretty_midi fades the last 0.1 s
TABLE = 4096  # samples of one period
HEARD_CONTROLS = (1, VOLUME, EXPRESSION, 64)  # not the pan: pretty_midi keeps the left channel alone


@dataclass(frozen=True)
class Timbre:
    """A waveform: the strengths of its harmonics from the fundamental on, and how it begins and fades."""

    harmonics: tuple[float, ...]
    attack: float  # seconds
    decay: float  # seconds in which it falls to 37%, besides pretty_midi's own second
    level: float = 1.0


SAW = tuple(1 / n for n in range(1, 17))
TIMBRES = (  # by program // 8, the families of General MIDI
    Timbre((1, 0.5, 0.3, 0.2, 0.12, 0.08, 0.05), 0.004, 0.9),  # pianos
    Timbre((1, 0, 0, 0.6, 0, 0, 0, 0.25), 0.002, 0.6, 0.8),  # bells and mallets
    Timbre((1, 0.8, 0.5, 0.6, 0, 0.3, 0, 0.3), 0.01, 9, 0.6),  # organs
    Timbre((1, 0.6, 0.45, 0.3, 0.2, 0.12, 0.08), 0.003, 0.5),  # guitars
    Timbre((1, 0.6, 0.3, 0.15, 0.08), 0.004, 0.7, 1.2),  # basses
    Timbre(SAW, 0.07, 9, 0.55),  # strings
    Timbre(SAW[:10], 0.09, 9, 0.55),  # ensembles and choirs
    Timbre((1, 0.9, 0.7, 0.5, 0.35, 0.25, 0.15), 0.03, 4, 0.6),  # brass
    Timbre((1, 0.15, 0.6, 0.1, 0.35, 0.06, 0.2), 0.03, 6, 0.7),  # reeds
    Timbre((1, 0.2, 0.1, 0.03), 0.04, 9, 0.9),  # pipes and flutes
    Timbre((1, 0, 1 / 3, 0, 1 / 5, 0, 1 / 7, 0, 1 / 9), 0.01, 3, 0.55),  # synthesiser leads
    Timbre(SAW[:8], 0.15, 9, 0.5),  # pads
    Timbre((1, 0.3, 0.5, 0.2, 0.3), 0.05, 2, 0.6),  # effects
    Timbre((1, 0.7, 0.5, 0.4, 0.3, 0.2), 0.003, 0.4, 0.9),  # plucked instruments of the world
    Timbre((1, 0.2, 0.5, 0, 0.2), 0.002, 0.3, 0.9),  # pitched percussion
    Timbre((1, 0.3), 0.1, 1, 0.3),  # sound effects
)


def wav(data: bytes, name: str = "the MIDI file", *, track: int | None = None) -> bytes:
    """A MIDI file as a WAV file. `performance` explains `track`; `name` is for messages.

    Raises InputError for bytes that are not a MIDI file, and for one that lasts longer than LONGEST.
    """
    played = performance(data, name, track=track)
    if played.duration > LONGEST:
        minutes = f"{played.duration / 60:.0f} minutes"
        remedy = f"the longest WAV file has {LONGEST / 60:.0f} minutes; export a part of the song"
        raise InputError(f"it lasts {minutes}, which is too long for a WAV file", where=name, remedy=remedy)
    with tempfile.TemporaryFile() as rendered:  # before its loudest sample is known
        largest = 0.0
        for piece in pieces(played):
            largest = max(largest, float(np.abs(piece).max(initial=0.0)))
            rendered.write(piece.astype(np.float32).tobytes())
        rendered.seek(0)
        scale = np.iinfo(np.int16).max * (PEAK / largest if largest else 1.0)
        stream = io.BytesIO()
        with wave.open(stream, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.setnframes(rendered.seek(0, io.SEEK_END) // 4)
            rendered.seek(0)
            while part := rendered.read(4 * PIECE * RATE):
                file.writeframesraw((np.frombuffer(part, np.float32) * scale).round().astype("<i2").tobytes())
        return stream.getvalue()


def pieces(played: Performance) -> Iterator[Float64s]:
    """The sound at RATE, not normalised, in pieces of (n,) samples. It ends a second after the last note."""
    left, size = round((played.duration + 1) * RATE) + 1, PIECE * RATE
    sound = np.zeros(size)
    for begin in range(0, -(-left // RATE), PIECE):
        for track in played.tracks:
            notes = [note for note in track.notes if begin <= note.start < begin + PIECE]
            if notes:
                own = _render(_from(track, notes, begin))
                if len(own) > len(sound):
                    sound = np.concatenate([sound, np.zeros(len(own) - len(sound))])
                sound[: len(own)] += own
        yield sound[: min(size, left)]
        left -= size
        sound = np.concatenate([sound[size:], np.zeros(max(0, 2 * size - len(sound)))])


def _from(track: PlayedTrack, notes: Sequence[PlayedNote], begin: float) -> PlayedTrack:
    """Some notes of a track with the controllers and bends that they hear, with times from `begin` on."""
    end = max(note.end for note in notes)
    controls: dict[object, Control] = {}  # of those before `begin`, the last one of each kind
    for n, control in enumerate(track.controls):
        if control.time < end:
            at = control.time - begin
            controls[control.number if at <= 0 else (n,)] = control._replace(time=max(at, 0.0))
    bends: dict[object, Bend] = {}
    for n, bend in enumerate(track.bends):
        if bend.time < end:
            bends[None if bend.time <= begin else n] = bend._replace(time=max(bend.time - begin, 0.0))
    moved = tuple(note._replace(start=note.start - begin, end=note.end - begin) for note in notes)
    return replace(track, notes=moved, controls=tuple(controls.values()), bends=tuple(bends.values()))


def _render(track: PlayedTrack) -> Float64s:
    """(n,) samples of a track."""
    if _has_fluidsynth():
        found: Float64s = _instrument(track, track.notes).fluidsynth(fs=RATE)
        return found
    if track.drum:
        return _drums(track)
    timbre = TIMBRES[track.program // 8]
    own: Float64s = timbre.level * _instrument(track, _ringing(track)).synthesize(RATE, wave=Voice(timbre))
    return own


@lru_cache(maxsize=1)
def _has_fluidsynth() -> bool:
    """Whether pyfluidsynth and the library that it needs are installed."""
    try:
        importlib.import_module("fluidsynth")
    except (ImportError, OSError, AttributeError):  # pyfluidsynth without its library raises any of these
        return False
    return True


def _instrument(track: PlayedTrack, notes: Sequence[PlayedNote]) -> Instrument:
    from pretty_midi import ControlChange, Instrument, Note, PitchBend

    instrument = Instrument(track.program, is_drum=track.drum, name=track.name)
    instrument.notes = [Note(note.velocity, note.pitch, note.start, note.end) for note in notes]
    instrument.pitch_bends = [PitchBend(bend.value, bend.time) for bend in track.bends]
    instrument.control_changes = [
        ControlChange(number, value, time) for time, number, value in track.controls if number in HEARD_CONTROLS
    ]
    return instrument


# ------------------------------------------------------------------------------------ own synthesis


class Voice:
    """A waveform for pretty_midi, which calls it with (n,) phases of a note that it then fades."""

    def __init__(self, timbre: Timbre) -> None:
        self._timbre = timbre

    def __call__(self, phases: Float64s) -> Float64s:
        if len(phases) < 2:
            return np.zeros_like(phases)
        # The strongest pitch bend upwards is a tenth of the frequency.
        most = int(np.pi / max(1e-6, float(phases[1] - phases[0]) * 1.1))
        table = _period(self._timbre.harmonics[: max(1, most)])
        size = len(phases)
        shape = _envelope(self._timbre, 1 << (size - 1).bit_length())[:size]
        product: Float64s = table[(phases * (TABLE / (2 * np.pi))).astype(np.int64) & (TABLE - 1)] * shape
        return product


@lru_cache(maxsize=32)
def _envelope(timbre: Timbre, size: int) -> Float64s:
    times = np.arange(size) / RATE
    shape: Float64s = np.minimum(times / timbre.attack, 1) * np.exp(-times / timbre.decay)
    return shape


@lru_cache(maxsize=256)
def _period(harmonics: tuple[float, ...]) -> Float64s:
    """One period with these harmonics, with the root mean square 0.35."""
    angles = 2 * np.pi * np.arange(TABLE) / TABLE
    wave_form: Float64s = np.sum([a * np.sin(n * angles) for n, a in enumerate(harmonics, 1)], axis=0)
    scaled: Float64s = wave_form * (0.35 / np.sqrt(np.mean(wave_form**2)))
    return scaled


def _ringing(track: PlayedTrack) -> list[PlayedNote]:
    """The notes with their release, and with the volume of the channel in their velocity."""
    return [
        note._replace(
            end=min(note.end, note.start + FADED) + RELEASE, velocity=round(note.velocity * track.volume(note.start))
        )
        for note in track.notes
    ]


def _drums(track: PlayedTrack) -> Float64s:
    sounds = [note.velocity * track.volume(note.start) * _drum(note.pitch) for note in track.notes]
    starts = [round(note.start * RATE) for note in track.notes]
    sound = np.zeros(max(start + len(own) for start, own in zip(starts, sounds, strict=True)))
    for start, own in zip(starts, sounds, strict=True):
        sound[start : start + len(own)] += own
    return sound


@dataclass(frozen=True)
class Drum:
    """A falling tone and noise. Frequencies in Hz, decays in seconds; `bright` noise has no low frequencies."""

    tone: float = 0.0  # level
    start: float = 0.0
    end: float = 0.0
    tone_decay: float = 0.1
    noise: float = 0.0  # level
    noise_decay: float = 0.1
    bright: bool = True


KICK = Drum(tone=1.2, start=130, end=45, tone_decay=0.13, noise=0.15, noise_decay=0.01, bright=False)
SNARE = Drum(tone=0.4, start=240, end=170, tone_decay=0.06, noise=0.6, noise_decay=0.1, bright=False)
CLAP = Drum(noise=0.6, noise_decay=0.08, bright=False)
STICK = Drum(tone=0.5, start=900, end=800, tone_decay=0.02, noise=0.2, noise_decay=0.02)
HAT, OPEN_HAT = Drum(noise=0.35, noise_decay=0.03), Drum(noise=0.35, noise_decay=0.2)
RIDE, CRASH = Drum(noise=0.25, noise_decay=0.35), Drum(noise=0.45, noise_decay=0.7)
BELL = Drum(tone=0.4, start=820, end=810, tone_decay=0.12)
SHAKER = Drum(noise=0.25, noise_decay=0.05)
DRUMS = {
    35: KICK, 36: KICK, 37: STICK, 38: SNARE, 39: CLAP, 40: SNARE, 42: HAT, 44: HAT, 46: OPEN_HAT, 49: CRASH, 51: RIDE,
    52: CRASH, 53: BELL, 54: SHAKER, 55: CRASH, 56: BELL, 57: CRASH, 59: RIDE, 69: SHAKER, 70: SHAKER, 75: STICK,
    76: STICK, 77: STICK, 82: SHAKER,
}  # fmt: skip


@lru_cache(maxsize=128)
def _drum(pitch: int) -> Float64s:
    """A drum of General MIDI at velocity 1. A drum that is not in the table is a tom: higher pitches sound higher."""
    tom = Drum(tone=0.8, start=60 + 3.2 * pitch, end=30 + 2.4 * pitch, tone_decay=0.18, noise=0.08, noise_decay=0.03)
    drum = DRUMS.get(pitch, tom)
    longest = 5 * max(drum.tone_decay if drum.tone else 0, drum.noise_decay if drum.noise else 0)
    times = np.arange(round(longest * RATE)) / RATE
    falling = drum.end + (drum.start - drum.end) * np.exp(-times / 0.04)
    tone = np.sin(2 * np.pi * np.cumsum(falling) / RATE) * np.exp(-times / drum.tone_decay)
    noise: Any = np.random.default_rng(pitch).uniform(-1, 1, len(times) + 1)
    noise = np.diff(noise) if drum.bright else noise[1:]
    found: Float64s = drum.tone * tone + drum.noise * noise * np.exp(-times / drum.noise_decay)
    return found
