"""A trained model as the edit engine and the evaluation use it: a runtime, the attributes, and their statistics."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Array, Float32s, Floats, Mask, Row
from ..errors import CheckpointError
from ..music.attributes import AttributeSpec, evaluate
from ..music.attributes import find as find_attribute
from ..music.meter import Meter
from ..music.stand_ins import known_meters, parts_for
from ..music.tokens import VOCABULARY_FACTS
from ..vae import checkpoint as checkpoints
from ..vae.checkpoint import Checkpoint
from ..vae.metadata import Metadata
from ..vae.normal_scores import NormalScores
from ..vae.scales import Scale
from ..vae.statistics import sampled
from .context_runtime import ContextRuntime, Contexts
from .numpy_runtime import Flow, NumpyRuntime, WithFlow
from .runtime import GivenCodes, Runtime, Wrapped
from .stand_ins import StandIns

if TYPE_CHECKING:
    from typing_extensions import Self

AUTO = "auto"  # instead of a name: the bundled model DEFAULT
DEFAULT = "all"
ROUNDING = 1e-6  # standard deviations: values that differ by less are the same
GRAIN = 0.1  # standard deviations: the grain (smallest step) of an attribute that does not define one


@dataclass(frozen=True)
class Model:
    """A trained model, ready to encode, decode and measure melodies."""

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

    def contexts(self, rows: Sequence[Row | None], meters: Sequence[Meter | None]) -> Contexts | None:
        """The contexts of a tune's measures; None for a model that knows no context."""
        return self.runtime.contexts(rows, meters) if isinstance(self.runtime, ContextRuntime) else None

    def moved(self, z: Float32s, before: Floats, wanted: Floats, meter: Meter) -> Float32s:
        """Shift the latent points of measures of one meter; see `Metadata.moved`."""
        return self.metadata.moved(z, before, wanted, groups=np.full(len(z), self.parts(meter)[0].code))

    def clamped(self, meter: Meter, requested: Floats, before: Floats) -> Floats:
        """(k,) requested values of a measure, clamped as in `Metadata.clamped`. An attribute that can always be raised
        (see `AttributeSpec.most`) is clamped to that value."""
        clamped = self.metadata.clamped(requested, before)
        most = np.array([spec.most(meter) if spec.most else -np.inf for spec in self.specs])
        raised = np.maximum(clamped, np.minimum(requested, most))
        # More would need notes that are shorter than edits write, though played tunes of the corpus may have them.
        result: Floats = np.where(np.isfinite(most), np.minimum(raised, np.maximum(most, before)), raised)
        return result

    def parts(self, meter: Meter) -> tuple[Meter, ...]:
        """The meters of the training corpus as which the networks read a measure of `meter`; see stand_ins.py."""
        return parts_for(meter, known_meters(self.metadata.meters))

    def stand_ins(self, meters: Iterable[Meter]) -> dict[str, tuple[str, ...]]:
        """Those of the meters that the model was not trained on, by name, and the meters that stand in for each."""
        return {
            meter.name: tuple(part.name for part in parts)
            for meter in sorted(set(meters))
            if (parts := self.parts(meter)) != (meter,)
        }

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle only the checkpoint. Unpickling prepares the model again and finds its attributes by name, because the
        functions of attributes and units may not be picklable."""
        return _rebuilt, (type(self), self.checkpoint, _innermost(self.runtime), self.metadata.names)

    @property
    def sd(self) -> Floats:
        """(k,) the standard deviations of the attributes in the training corpus."""
        return np.array([scale.sd for scale in self.metadata.scales])

    @property
    def related(self) -> Floats:
        """(k, k) squared correlations, 1 on the diagonal."""
        squared: Floats = np.square(np.array(self.metadata.correlation))
        return squared

    def grain(self, meter: Meter) -> Floats:
        """(k,) the smallest step of each attribute in this meter, in raw values."""
        scales = zip(self.specs, self.metadata.scales, strict=True)
        return np.array([spec.grain(meter) if spec.grain else GRAIN * scale.sd for spec, scale in scales])

    def hits(self, meter: Meter, values: Floats, wanted: Floats) -> Mask:
        """Raw values (k,) of a measure and requested values (k,), NaN for none -> (k,) whether they agree to half a
        grain."""
        close: Mask = misses(values, wanted, self.sd, self.tolerance(meter)) == 0
        return close

    def tolerance(self, meter: Meter) -> Floats:
        """(k,) in standard deviations: how far an attribute may be from a requested value that counts as met."""
        return 0.5 * self.grain(meter) / self.sd + ROUNDING


def misses(values: Floats, wanted: Floats, sd: Floats, tolerance: Floats) -> Floats:
    """Raw values and requested values (..., k), NaN for none; `sd` (k,) raw, `tolerance` (k,) in standard deviations ->
    (..., k) by how many standard deviations each request is missed; 0 within the tolerance."""
    off = np.abs(values - wanted) / sd
    return np.where(off > tolerance, off, 0.0)  # nothing is greater than NaN


def _runtime_of(checkpoint: Checkpoint) -> Runtime:
    """The runtime of the checkpoint's networks: of measures alone, or in their context."""
    return ContextRuntime(checkpoint) if "context" in checkpoint.metadata.dims else NumpyRuntime(checkpoint)


def prepare(checkpoint: Checkpoint, runtime: Callable[[Checkpoint], Runtime] = _runtime_of) -> Model:
    """Make a model from a checkpoint. Raises CheckpointError for a model of images, or of another vocabulary."""
    checkpoints.expect(checkpoint, "measures")
    if checkpoint.metadata.tokens != VOCABULARY_FACTS:
        raise CheckpointError(
            f"its vocabulary is {checkpoint.metadata.tokens}, and this arvae's is {VOCABULARY_FACTS}",
            where=str(checkpoint.path or "the model"),
            remedy="name another model, or train this one again",
        )
    scales = checkpoint.metadata.scales
    specs = checkpoints.specs_of(scales, find_attribute)
    whole = _measuring(runtime(checkpoint), scales, specs)
    if checkpoint.metadata.dims.get("flow_layers"):
        whole = WithFlow(whole, Flow(checkpoint))
    known = known_meters(checkpoint.metadata.meters)
    if not isinstance(whole, ContextRuntime):  # which has stand-ins of its own
        whole = StandIns(whole, known)
    return Model(whole, checkpoint.metadata, specs, checkpoint)


def _innermost(runtime: Runtime) -> Callable[[Checkpoint], Runtime]:
    """The class of the runtime that computes the networks, without its wrappers."""
    while isinstance(runtime, Wrapped):
        runtime = runtime.inner
    return type(runtime)


def _rebuilt(
    kind: type[Model], checkpoint: Checkpoint, runtime: Callable[[Checkpoint], Runtime], names: Collection[str]
) -> Model:
    return kind(**vars(prepare(checkpoint, runtime))).restricted(names)


def _measuring(runtime: Runtime, scales: Sequence[Scale], specs: Sequence[AttributeSpec]) -> Runtime:
    """Wrap the runtime of a conditional decoder so that the codes of its given attributes are measured."""
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
    """Attribute values (n,) -> codes (n,), sampled as in training."""
    if scale.shares:
        return NormalScores.of_scale(scale).drawn(values, random)
    return sampled(scale.code(values), scale.log_variance(values), random)
