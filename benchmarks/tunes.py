"""Load the held-out tunes of a corpus as melodies. Other benchmarks import this module; it is not a program."""

from __future__ import annotations

from arvae_music.corpora import registry
from arvae_music.music import attributes
from arvae_music.music.melody import Bar, Melody
from arvae_music.music.meter import Meter
from arvae_music.vae.examples import Examples, split


def held_out(corpus: str, part: str, most: int | None = None) -> list[Melody]:
    """The tunes of the `valid` or `test` part, in the split that `arvae train` makes; at most `most`, evenly spread."""
    data = registry.load(corpus)
    specs = [attributes.find(name) for name in attributes.PAPER]
    examples: Examples = getattr(split(data.examples(specs)), part)
    rows: dict[int, list[int]] = {}
    for i, piece in enumerate(examples.pieces.tolist()):
        rows.setdefault(piece, []).append(i)
    chosen = sorted(rows.items())[:: max(1, len(rows) // most)] if most else sorted(rows.items())
    return [_melody(data.piece_names[piece], examples, at) for piece, at in chosen]


def _melody(name: str, examples: Examples, at: list[int]) -> Melody:
    bars = []
    for number, i in enumerate(at, start=1):
        meter = Meter.from_code(int(examples.inputs[i, 0]))
        bars.append(Bar(number, meter.name, 0, 0, meter, examples.inputs[i, 1 : 1 + meter.ticks]))
    return Melody(name, tuple(bars), 0, 0)
