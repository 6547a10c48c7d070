"""The description of the contextual network, and what it gets of a measure's place in a tune. No PyTorch.

    places     counted from the start of the tune and from its end, each up to PLACE_LIMIT, and the place in a phrase of
               eight measures
    mode       the pitch class of the tune's last note in the normalised key (0: C, 9: A), or NO_MODE
    entering   the token that sounds over the barline before the measure; REST at the start of a tune
    after      the first token of the next measure that is not a HOLD: a pitch, REST, or AFTER_END after the last
               measure

The normalised key has no sharps or flats, so that the mode of a tune follows from its last note.

A measure alone has UNKNOWN_PLACES, NO_MODE, UNKNOWN_ENTERING and AFTER_END.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from ..arrays import Ints, Row, Shapes
from ..music.meter import FIRST_BEATS, FIRST_CODES, TICKS_PER_BEAT, Meter, table_sizes
from ..music.tokens import FIRST_PITCH, HOLD, REST, VOCABULARY, pitch_of

PLACE_LIMIT = 16
PHRASE = 8
PLACES = (PLACE_LIMIT + 2, PLACE_LIMIT + 2, PHRASE + 1)  # each with a code for an unknown place
UNKNOWN_PLACES = tuple(count - 1 for count in PLACES)
UNKNOWN_ENTERING = VOCABULARY
NO_MODE = 12
MODES = NO_MODE + 1
AFTER_END = VOCABULARY
AFTER = VOCABULARY + 1
WINDOW = 16  # measures that are trained, and read, together
DISTANCES = 16  # measures that are further apart share the weights of this distance


@dataclass(frozen=True)
class ContextDims:
    """The sizes that describe the network; stored in its checkpoint."""

    latent: int = 32
    attributes: int = 4
    beat_hidden: int = 48
    measure_hidden: int = 96
    context_hidden: int = 96
    context: int = 96
    side: int = 32
    heads: int = 4
    key: int = 16
    value: int = 16
    wide: int = 192
    decoder_hidden: int = 128
    tick_hidden: int = 128
    dropout: float = 0.2  # of the context, of the memory and of the last layer, in training
    codes: int = FIRST_CODES  # the tables have a row for every smaller code of a meter
    beats: int = FIRST_BEATS  # the most beats of a measure

    def for_meters(self, meters: Iterable[Meter]) -> ContextDims:
        """The same sizes, with tables that are large enough for these meters."""
        codes, beats = table_sizes(meters, self.codes, self.beats)
        return replace(self, codes=codes, beats=beats)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stated: Mapping[str, Any]) -> ContextDims:
        """The sizes of a checkpoint. Raises KeyError, TypeError or ValueError for invalid sizes."""
        tables = {"codes": FIRST_CODES, "beats": FIRST_BEATS}  # older checkpoints do not state them
        stated = {**tables, **stated}
        sizes = {field.name: int(stated[field.name]) for field in fields(cls) if field.name != "dropout"}
        return cls(**sizes, dropout=float(stated["dropout"]))


@dataclass(frozen=True)
class Situation:
    """What the network gets of the place of each of a tune's n measures; see the codes above."""

    places: Ints  # (n, 3)
    entering: Ints  # (n,)
    after: Ints  # (n,)
    mode: int
    runs: tuple[tuple[int, int], ...]  # first and last + 1 of consecutive measures with tokens of one meter


def situation(rows: Sequence[Row | None], meters: Sequence[Meter | None]) -> Situation:
    """The situations of a tune's measures. A measure without tokens is None; it separates its neighbours."""
    count = len(rows)
    index = np.arange(count)
    places = np.stack([np.minimum(index, PLACE_LIMIT), np.minimum(index[::-1], PLACE_LIMIT), index % PHRASE], axis=1)
    entering, after = np.full(count, REST), np.full(count, AFTER_END)
    mode, runs, start = NO_MODE, [], 0
    for i in range(count + 1):
        if i == count or rows[i] is None or (i > start and meters[i] != meters[start]):
            if i > start:
                runs.append((start, i))
            start = i + 1 if i < count and rows[i] is None else i
    for first, last in runs:
        current = REST
        for i in range(first, last):
            row = rows[i]
            assert row is not None
            entering[i] = current
            events = row[row != HOLD]
            if i > first:
                after[i - 1] = events[0] if len(events) else HOLD
            if len(events):
                current = int(events[-1])
            notes = events[events >= FIRST_PITCH]
            if len(notes):
                mode = pitch_class_of(int(notes[-1]))
    return Situation(places, entering, after, mode, tuple(runs))


def pitch_class_of(token: int) -> int:
    """The pitch class of a pitch token: 0 for C."""
    return pitch_of(token) % 12


def windows(runs: Sequence[tuple[int, int]], width: int) -> list[tuple[int, int, int, int]]:
    """Windows of at most `width` measures that cover the runs: the window's first and last + 1, and the first and
    last + 1 of its measures whose context it gives, so that each has a quarter of the width on both sides."""
    found = []
    for first, last in runs:
        at, done = first, first
        while done < last:
            end = min(at + width, last)
            until = last if end == last else end - width // 4
            found.append((at, end, done, until))
            done, at = until, max(until - width // 4, first)
    return found


def weight_shapes(dims: ContextDims) -> Shapes:
    """The shape of every weight, named as in a checkpoint."""
    d, s = dims, 2 * dims.measure_hidden
    given = d.latent + d.attributes + 1 + d.context
    k, heads = d.tick_hidden, d.heads
    linear = {
        "reader.beat_inputs.0": (3 * d.measure_hidden, 2 * d.beat_hidden),
        "reader.beat_inputs.1": (3 * d.measure_hidden, 2 * d.beat_hidden),
        "surroundings.inputs.0": (3 * d.context_hidden, s), "surroundings.inputs.1": (3 * d.context_hidden, s),
        "surroundings.mix": (d.context, 2 * d.context_hidden + d.side),
        "surroundings.query": (heads * d.key, d.context),
        "posterior_hidden": (d.wide, s + d.context), "to_latent": (2 * d.latent, d.wide + s),
        "decoder.widen": (d.wide, given), "decoder.beat_start": (d.decoder_hidden, d.wide),
        "decoder.beat_input": (3 * d.decoder_hidden, d.wide), "decoder.tick_start": (k, d.wide),
        "decoder.tick_input": ((3 + TICKS_PER_BEAT) * k, d.decoder_hidden), "decoder.to_tokens": (VOCABULARY, k),
    }  # fmt: skip
    grus = {
        "reader.tick_grus.0": d.beat_hidden, "reader.tick_grus.1": d.beat_hidden,
        "reader.beat_grus.0": d.measure_hidden, "reader.beat_grus.1": d.measure_hidden,
        "surroundings.grus.0": d.context_hidden, "surroundings.grus.1": d.context_hidden,
        "decoder.beat_gru": d.decoder_hidden, "decoder.tick_gru": k,
    }  # fmt: skip
    tables = {
        "reader.tick_tables.0": (2 * VOCABULARY, 3 * d.beat_hidden),
        "reader.tick_tables.1": (2 * VOCABULARY, 3 * d.beat_hidden),
        "reader.beat_tables.0": (d.codes, 3 * d.measure_hidden),
        "reader.beat_tables.1": (d.codes, 3 * d.measure_hidden),
        **{f"surroundings.place_tables.{i}": (count, d.side) for i, count in enumerate(PLACES)},
        "surroundings.mode_table": (MODES, d.side), "surroundings.meter_table": (d.codes, d.side),
        "surroundings.entering_table": (VOCABULARY + 1, d.side), "surroundings.after_table": (AFTER, d.side),
        **{f"surroundings.similar.{i}": (heads * d.key, s) for i in range(4)}, "surroundings.key": (heads * d.key, s),
        "surroundings.values": (VOCABULARY, heads * d.value), "surroundings.held": (VOCABULARY + 1, heads * d.value),
        "decoder.beat_table": (d.codes * d.beats, 3 * d.decoder_hidden),
        "decoder.tick_table": (2 * TICKS_PER_BEAT, 3 * k),
        "decoder.previous_table": (VOCABULARY + 2, 3 * k), "decoder.sounding_table": (VOCABULARY + 2, 3 * k),
        "decoder.memory_input": (3 * k, heads * d.value),
    }  # fmt: skip
    matrices = linear | {name: (3 * size, size) for name, size in grus.items()}
    weights: Shapes = {f"{name}.weight": shape for name, shape in (matrices | tables).items()}
    weights |= {f"{name}.bias": shape[:1] for name, shape in matrices.items()}
    return weights | {"surroundings.distance": (heads, 2 * DISTANCES + 1)}
