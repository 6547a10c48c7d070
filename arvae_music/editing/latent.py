"""The latent mode, the plain traversal of the AR-VAE paper: one decode of a shifted latent point for each measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import Row
from ..music.attributes import evaluate
from ..music.melody import Melody
from ..music.tokens import HOLD, REST, ends_in, onsets
from ..networks.context_runtime import ContextRuntime
from ..networks.decoding import decode, decode_from
from ..networks.model import Model
from .locks import UPBEAT
from .ties import EditableMeasure


def found(melody: Melody, measures: Sequence[EditableMeasure], model: Model) -> dict[int, Row]:
    """The new rows of measures, by their indices."""
    runtime = model.runtime
    contexts = model.contexts(melody.rows, [bar.meter for bar in melody.bars])
    rows: dict[int, Row] = {}
    for meter in sorted({measure.meter for measure in measures}):
        some = [measure for measure in measures if measure.meter == meter]
        originals = np.stack([measure.row for measure in some])
        before = evaluate(model.specs, originals, meter)
        wanted = np.stack([measure.goal for measure in some])
        if contexts is None or not isinstance(runtime, ContextRuntime):
            decoded = decode(runtime, model.moved(runtime.encode(originals, meter), before, wanted, meter), meter)
        else:
            context = contexts.of([measure.index for measure in some])
            z = model.moved(runtime.encode(originals, meter, context), before, wanted, meter)
            decoded = decode_from(runtime, runtime.start(z, meter, context), np.arange(len(z)), meter)
        for measure, row in zip(some, decoded, strict=True):
            rows[measure.index] = _joined(row, measure)
    return rows


def _joined(row: Row, measure: EditableMeasure) -> Row:
    """Change the first and last tokens of a decode so that ties to measures that are not edited stay intact. The
    decoder does not see those measures."""
    if measure.tie == UPBEAT and onsets(measure.row).any():
        first = int(np.argmax(onsets(measure.row)))
        row[:first] = measure.row[:first]
    if measure.tie < 0 and row[0] == HOLD:
        row[0] = measure.row[0] if measure.row[0] != HOLD else REST
    if measure.tie == 1:
        row[0] = HOLD
    if measure.ending == HOLD:
        row[:] = HOLD
    elif measure.ending > HOLD and ends_in(row[None])[0] != measure.ending:
        events = np.flatnonzero(row != HOLD)
        row[events[-1] if len(events) else np.flatnonzero(measure.row == measure.ending)[-1]] = measure.ending
    return row
