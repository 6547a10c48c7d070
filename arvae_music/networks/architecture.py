"""The one description of the network over a measure: its sizes, and the shapes of its weights by name.

`hierarchical` builds the PyTorch model from MeasureDims; `numpy_runtime` checks checkpoints against `weight_shapes`.
This module needs no PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..arrays import Shapes
from ..music.meter import FIRST_BEATS, FIRST_CODES, TICKS_PER_BEAT, Meter, table_sizes
from ..music.tokens import VOCABULARY


@dataclass(frozen=True)
class MeasureDims:
    """The sizes that describe a network; stored in its checkpoint."""

    latent: int = 32
    hidden: int = 128
    tick_hidden: int = 64  # of the tick GRUs, in each direction
    token_dropout: float = 0.3
    null_share: float = 0.1  # see vae/model.ArVae
    flow_layers: int = 0  # of the flow over the dimensions that carry no attribute; 0: no flow
    flow_hidden: int = 96
    attributes: int = 0  # with a flow, the number of dimensions that carry an attribute
    wide: int = 0  # additional features of z that the decoder gets
    each_tick: bool = False  # whether each tick of a beat gets its own input from the beat, besides the shared one
    codes: int = FIRST_CODES  # the tables have a row for every smaller code of a meter
    beats: int = FIRST_BEATS  # the most beats of a measure

    def for_meters(self, meters: Iterable[Meter]) -> MeasureDims:
        """The same sizes, with tables that are large enough for these meters."""
        codes, beats = table_sizes(meters, self.codes, self.beats)
        return replace(self, codes=codes, beats=beats)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stated: Mapping[str, Any]) -> MeasureDims:
        """The sizes of a checkpoint. Raises KeyError, TypeError or ValueError for invalid sizes."""
        sizes = {name: int(stated[name]) for name in ("latent", "hidden", "tick_hidden")}
        sizes |= {name: int(stated.get(name, 0)) for name in ("attributes", "flow_layers", "wide")}
        sizes |= {name: int(stated.get(name, getattr(cls, name))) for name in ("flow_hidden", "codes", "beats")}
        return cls(**sizes, each_tick=bool(stated.get("each_tick", False)))


def weight_shapes(dims: MeasureDims) -> Shapes:
    """The shape of every weight, named as in a checkpoint."""
    return _shapes(dims) | _flow_shapes(dims)


def _shapes(dims: MeasureDims) -> Shapes:
    """The shapes of encoder and decoder; z latent, h hidden, k tick_hidden."""
    z, h, k, wide = dims.latent, dims.hidden, dims.tick_hidden, dims.wide
    gates = (3 + TICKS_PER_BEAT * dims.each_tick) * k
    linear = {
        "encoder.beat_inputs.0": (3 * h, 2 * k), "encoder.beat_inputs.1": (3 * h, 2 * k),
        "encoder.to_latent": (2 * z, 2 * h),
        "decoder.beat_start": (h, z + wide), "decoder.beat_input": (3 * h, z + wide),
        "decoder.tick_start": (k, h), "decoder.tick_input": (gates, h), "decoder.to_tokens": (VOCABULARY, k),
    }  # fmt: skip
    if wide:
        linear["decoder.widen"] = (wide, z)
    grus = {
        "encoder.tick_grus.0": k, "encoder.tick_grus.1": k, "encoder.beat_grus.0": h, "encoder.beat_grus.1": h,
        "decoder.beat_gru": h, "decoder.tick_gru": k,
    }  # fmt: skip
    tables = {
        "encoder.tick_tables.0": (2 * VOCABULARY, 3 * k), "encoder.tick_tables.1": (2 * VOCABULARY, 3 * k),
        "encoder.beat_tables.0": (dims.codes, 3 * h), "encoder.beat_tables.1": (dims.codes, 3 * h),
        "decoder.beat_table": (dims.codes * dims.beats, 3 * h), "decoder.tick_table": (2 * TICKS_PER_BEAT, 3 * k),
        "decoder.previous_table": (VOCABULARY + 2, 3 * k), "decoder.sounding_table": (VOCABULARY + 2, 3 * k),
    }  # fmt: skip
    matrices = linear | {name: (3 * size, size) for name, size in grus.items()}
    weights: Shapes = {f"{name}.weight": shape for name, shape in (matrices | tables).items()}
    return weights | {f"{name}.bias": shape[:1] for name, shape in matrices.items()}


def _flow_shapes(dims: MeasureDims) -> Shapes:
    """The shapes of vae/flow.ConditionalFlow; none without layers."""
    layers, hidden, size = dims.flow_layers, dims.flow_hidden, dims.latent - dims.attributes
    if not layers:
        return {}
    matrices = {0: (hidden, dims.latent + dims.codes), 2: (hidden, hidden), 4: (2 * size, hidden)}
    parts = {f"flow.nets.{i}.{part}": shape for i in range(layers) for part, shape in matrices.items()}
    weights: Shapes = {f"{name}.weight": shape for name, shape in parts.items()}
    biases = {f"{name}.bias": shape[:1] for name, shape in parts.items()}
    return {"flow.side": (size,), "flow.narrowed": (1,), **weights, **biases}
