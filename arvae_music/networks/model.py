"""A trained model as the edit engine and the evaluation use it: a runtime, the attributes, and their statistics."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array, Float32s, Floats, Mask
from ..errors import CheckpointError
from ..music.attributes import AttributeSpec, evaluate
from ..music.attributes import find as find_attribute
from ..music.meter import Meter
from ..music.tokens import VOCABULARY_FACTS
from ..vae import checkpoint as checkpoints
from ..vae.checkpoint import Checkpoint
from ..vae.metadata import Metadata
from ..vae.normal_scores import NormalScores
from ..vae.scales import Scale
from ..vae.statistics import sampled
from .numpy_runtime import Flow, Freed, NumpyRuntime
from .runtime import GivenCodes, Runtime, Wrapped

if TYPE_CHECKING:
    from typing_extensions import Self

AUTO = "auto"  # in place of a name: the packaged model that knows a melody best
ROUNDING = 1e-6  # sd: values that differ by less are the same
GRAIN = 0.1  # sd: the grain of an attribute that states none


@dataclass(frozen=True)
class Model:
    """A trained model that is ready to encode, decode and measure."""

    runtime: Runtime
    metadata: Metadata  # of the checkpoint, or restricted to some attributes
    specs: tuple[AttributeSpec, ...]  # in the order of metadata.scales
    checkpoint: Checkpoint = field(repr=False)

    @property
    def name(self) -> str:
        return self.checkpoint.name

    def restricted(self, names: Collection[str]) -> Self:
        """The same model with these attributes only."""
        specs = tuple(spec for spec, name in zip(self.specs, self.metadata.names, strict=True) if name in names)
        return replace(self, metadata=self.metadata.restricted(names), specs=specs)

    def moved(self, z: Float32s, before: Floats, wanted: Floats, meter: Meter) -> Float32s:
        """Metadata.moved, of measures of one meter."""
        return self.metadata.moved(z, before, wanted, groups=np.full(len(z), meter.code))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled by the checkpoint: a copy is prepared anew from it, with the attributes found by name, because the
        functions of attributes and units need not be picklable."""
        return _rebuilt, (type(self), self.checkpoint, _innermost(self.runtime), self.metadata.names)

    @property
    def sd(self) -> Floats:
        return np.array([scale.sd for scale in self.metadata.scales])

    @property
    def related(self) -> Floats:
        """(k, k) squared correlations, 1 on the diagonal."""
        squared: Floats = np.square(np.array(self.metadata.correlation))
        return squared

    def grain(self, meter: Meter) -> Floats:
        scales = zip(self.specs, self.metadata.scales, strict=True)
        return np.array([spec.grain(meter) if spec.grain else GRAIN * scale.sd for spec, scale in scales])

    def hits(self, meter: Meter, values: Floats, wanted: Floats) -> Mask:
        """(k,) raw values of a measure and those wanted of it (NaN: nothing) -> (k,) within half a grain."""
        close: Mask = misses(values, wanted, self.sd, self.tolerance(meter)) == 0
        return close

    def tolerance(self, meter: Meter) -> Floats:
        """(k,) in sd: how far off an attribute may be and still count as met."""
        return 0.5 * self.grain(meter) / self.sd + ROUNDING


def misses(values: Floats, wanted: Floats, sd: Floats, tolerance: Floats) -> Floats:
    """(..., k) raw values twice, (k,), (k,) in sd -> (..., k) how many sd off each value is; 0 within the tolerance,
    and where nothing is wanted (NaN)."""
    off = np.abs(values - wanted) / sd
    return np.where(off > tolerance, off, 0.0)  # nothing is greater than NaN


def prepare(checkpoint: Checkpoint, runtime: Callable[[Checkpoint], Runtime] = NumpyRuntime) -> Model:
    """Raises CheckpointError for a model of images, or of another vocabulary."""
    checkpoints.expect(checkpoint, "measures")
    if checkpoint.metadata.tokens != VOCABULARY_FACTS:
        raise CheckpointError(
            f"its vocabulary is {checkpoint.metadata.tokens}, and this arvae's is {VOCABULARY_FACTS}",
            where=str(checkpoint.path or "the model"),
            remedy="name another model, or train this one anew",
        )
    scales = checkpoint.metadata.scales
    specs = checkpoints.specs_of(scales, find_attribute)
    whole = _measuring(runtime(checkpoint), scales, specs)
    if checkpoint.metadata.dims.get("flow_layers"):
        whole = Freed(whole, Flow(checkpoint))
    return Model(whole, checkpoint.metadata, specs, checkpoint)


def _innermost(runtime: Runtime) -> Callable[[Checkpoint], Runtime]:
    """What makes the runtime that computes the networks."""
    while isinstance(runtime, Wrapped):
        runtime = runtime.inner
    return type(runtime)


def _rebuilt(
    kind: type[Model], checkpoint: Checkpoint, runtime: Callable[[Checkpoint], Runtime], names: Collection[str]
) -> Model:
    return kind(**vars(prepare(checkpoint, runtime))).restricted(names)


def _measuring(runtime: Runtime, scales: Sequence[Scale], specs: Sequence[AttributeSpec]) -> Runtime:
    """The runtime, with the codes of attributes that the decoder was given measured."""
    given = [scale for scale in scales if scale.given]
    measured = [spec for scale, spec in zip(scales, specs, strict=True) if scale.given]
    if not given:
        return runtime

    def columns(rows: Array, meter: Meter) -> list[tuple[Scale, Floats]]:
        return list(zip(given, evaluate(measured, rows, meter).T, strict=True))

    def codes(rows: Array, meter: Meter) -> tuple[Floats, Floats]:
        found = [(scale.code(values), scale.log_variance(values)) for scale, values in columns(rows, meter)]
        mean, log_variance = (np.stack(side, axis=1) for side in zip(*found, strict=True))
        return mean, log_variance

    def draw(rows: Array, meter: Meter, random: np.random.Generator) -> Floats:
        return np.stack([_drawn(scale, values, random) for scale, values in columns(rows, meter)], axis=1)

    return GivenCodes(runtime, tuple(scale.dimension for scale in given), codes, draw)


def _drawn(scale: Scale, values: Floats, random: np.random.Generator) -> Floats:
    """(n,) -> (n,) codes as training drew them."""
    if scale.shares:
        return NormalScores.of_scale(scale).drawn(values, random)
    return sampled(scale.code(values), scale.log_variance(values), random)
