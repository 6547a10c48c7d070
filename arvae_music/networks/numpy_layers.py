"""The layers of the networks in numpy, without gradients. Weights are named as in a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..arrays import Array, Float32s, Shapes
from ..errors import CheckpointError
from ..music.meter import TICKS_PER_BEAT, Meter
from ..music.tokens import VOCABULARY

if TYPE_CHECKING:
    from ..vae.checkpoint import Checkpoint

Dims = TypeVar("Dims")


_SIDES = np.arange(2)[:, None]


class MeasureReader:
    """`reader.MeasureReader` in numpy, from transposed weights whose names begin with `prefix`."""

    def __init__(self, weights: Mapping[str, Any], prefix: str) -> None:
        names = {name for name in weights if name.startswith(f"{prefix}.") and ".0." in name}
        both = {
            name.removeprefix(f"{prefix}.").replace(".0.", "."): np.stack(
                [weights[name], weights[name.replace(".0.", ".1.")]]
            )
            for name in names
        }
        self.weights = {name: value[:, None] if name.endswith(".bias") else value for name, value in both.items()}

    # Both directions are computed at once, because each alone is small for its number of operations.

    def __call__(self, rows: Array, meter: Meter) -> Float32s:
        """(m, t) -> (m, 2h), read as measures of `meter`, which may have another number of beats."""
        beats = self._beats(rows, meter)
        gates = np.matmul(beats, self.weights["beat_inputs.weight"][:, None])
        gates += self.weights["beat_inputs.bias"][:, None]
        gates += self.weights["beat_tables.weight"][:, None, None, meter.code]
        state = np.zeros((2, len(beats), gates.shape[3] // 3), dtype=np.float32)
        for beat in range(beats.shape[1]):
            state = gru(self.weights, "beat_grus", np.stack([gates[0, :, beat], gates[1, :, -1 - beat]]), state)
        return np.concatenate(list(state), axis=1)

    def _beats(self, rows: Array, meter: Meter) -> Float32s:
        """(m, t) -> (m, beats, 2k): the end states of both tick GRUs."""
        tokens = rows.reshape(-1, TICKS_PER_BEAT) + VOCABULARY * int(meter.compound)
        tables = self.weights["tick_tables.weight"]
        state = np.zeros((2, len(tokens), tables.shape[2] // 3), dtype=np.float32)
        for tick in range(TICKS_PER_BEAT):
            gates = tables[_SIDES, tokens[:, [tick, -1 - tick]].T]
            state = gru(self.weights, "tick_grus", gates, state)
        both = np.concatenate(list(state), axis=1)
        return both.reshape(len(rows), rows.shape[1] // TICKS_PER_BEAT, both.shape[1])  # -1 would fail without rows


def checked(
    checkpoint: Checkpoint, read: Callable[[Mapping[str, Any]], Dims], shapes_of: Callable[[Dims], Shapes]
) -> Dims:
    """The dimensions that a checkpoint states. Raises CheckpointError if the weights do not have their shapes."""
    stated, where = checkpoint.metadata.dims, str(checkpoint.path or "the model")
    try:
        dims = read(stated)
        expected = shapes_of(dims)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"its dimensions are {stated}", where=where, remedy="train anew") from error
    for name, shape in expected.items():
        found = checkpoint.weights[name].shape if name in checkpoint.weights else "absent"
        if found != shape:
            raise CheckpointError(f"{name} is {found}, not {shape}", where=where, remedy="train anew")
    return dims


def transposed(weights: Mapping[str, Any]) -> dict[str, Any]:
    """PyTorch's matrices (out, in) as (in, out), also in memory, which halves the time of products of few rows."""
    matrices = {name for name in weights if name.replace(".weight", ".bias") in weights and name.endswith(".weight")}
    return {name: np.ascontiguousarray(value.T) if name in matrices else value for name, value in weights.items()}


def gru(weights: Mapping[str, Any], name: str, gates: Float32s, state: Float32s) -> Float32s:
    """One step of a GRU, as in gru.py: (..., m, 3h), (..., m, h) -> (..., m, h)."""
    h = state.shape[-1]
    recurrent = np.matmul(state, weights[f"{name}.weight"])
    recurrent += weights[f"{name}.bias"]
    switch = gates[..., : 2 * h] + recurrent[..., : 2 * h]
    _sigmoid(switch)
    new = switch[..., :h] * recurrent[..., 2 * h :]
    new += gates[..., 2 * h :]
    np.tanh(new, out=new)
    mixed: Float32s = state - new
    mixed *= switch[..., h:]
    mixed += new
    return mixed


def _sigmoid(x: Float32s) -> None:
    """1 / (1 + exp(-x)) in place, computed with tanh, which is faster in numpy."""
    x *= 0.5
    np.tanh(x, out=x)
    x *= 0.5
    x += 0.5


def linear(weights: Mapping[str, Any], name: str, x: Float32s) -> Float32s:
    y: Float32s = x @ weights[f"{name}.weight"]
    y += weights[f"{name}.bias"]
    return y
