"""The layers of the networks in numpy, without gradients. Weights are named as in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import Float32s


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
