"""Run networks on measures of a meter that they were not trained on; music/stand_ins.py chooses the meters instead.

A measure in 7/4 is encoded and decoded as one in 4/4 and one in 3/4: its latent point is the mean of theirs, and both
are decoded from the same point.

Shapes: m rows, z latent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, Float32s
from ..music.meter import Meter
from ..music.stand_ins import parts_for
from ..music.tokens import HOLD
from .runtime import State, Wrapped


@dataclass(frozen=True)
class StandIns(Wrapped):
    """A Runtime that reads measures of unknown meters as measures of the `known` ones."""

    known: tuple[Meter, ...]

    def posterior(self, rows: Array, meter: Meter) -> tuple[Float32s, Float32s]:
        """The mean of the parts' posteriors."""
        found = [self.inner.posterior(part, known) for known, part in self._split(rows, meter)]
        means, log_variances = ([one[side] for one in found] for side in (0, 1))
        return _mean(means), _mean(log_variances)

    def drawn(self, rows: Array, meter: Meter, random: np.random.Generator) -> Float32s:
        return _mean([self.inner.drawn(part, known, random) for known, part in self._split(rows, meter)])

    def start(self, z: Float32s, meter: Meter) -> State:
        return self._joined([self.inner.start(z, part) for part in parts_for(meter, self.known)], meter)

    def nowhere(self, meter: Meter) -> State:
        return self._joined([self.inner.nowhere(part) for part in parts_for(meter, self.known)], meter)

    def _split(self, rows: Array, meter: Meter) -> list[tuple[Meter, Array]]:
        """Rows of a meter as rows of each of its parts. What a part has too many continues the last note."""
        found, at = [], 0
        for part in parts_for(meter, self.known):
            own = rows[:, at : at + part.ticks]
            missing = part.ticks - own.shape[1]
            found.append((part, np.pad(own, ((0, 0), (0, missing)), constant_values=HOLD) if missing else own))
            at += part.ticks
        return found

    @staticmethod
    def _joined(states: Sequence[Any], meter: Meter) -> State:
        """The state of decoding the beats of the parts one after the other."""
        first: State = states[0]
        if len(states) == 1 and len(first.beats) == meter.beats:
            return first
        beats, starts = (np.concatenate([getattr(one, name) for one in states]) for name in ("beats", "starts"))
        return State(first.meter, beats[: meter.beats], starts[: meter.beats], first.hidden, first.point)


def _mean(arrays: Sequence[Float32s]) -> Float32s:
    if len(arrays) == 1:
        return arrays[0]
    result: Float32s = np.mean(arrays, axis=0, dtype=np.float32)
    return result
