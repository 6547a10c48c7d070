"""A melody in latent space: `Model.encode` returns `Latents`, and `Model.decode` takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import Float32s, Ints, Row
from .errors import UsageError
from .music.melody import Bar, Melody
from .music.meter import Meter
from .networks.decoding import decode
from .networks.model import Model
from .vae.scales import NOT_CARRIED


@dataclass(frozen=True, repr=False)
class Latents:
    """The latent points of a melody's measures.

    `mean[i]` belongs to measure `measures[i]`, whose meter is `Meter.from_code(meters[i])`. To shift the points, use
    `dataclasses.replace(latents, mean=...)`.
    """

    mean: Float32s  # (m, z) posterior means
    measures: Ints  # (m,) indices into melody.bars
    meters: Ints  # (m,) Meter.code
    dimensions: Mapping[str, int]  # attribute -> its latent dimension

    def __getitem__(self, name: str) -> Float32s:
        """The codes (m,) of an attribute. Raises KeyError for an attribute without a latent dimension."""
        if name not in self.dimensions:
            raise KeyError(f"{name!r} has no latent dimension; the model has {', '.join(self.dimensions)}")
        codes: Float32s = self.mean[:, self.dimensions[name]]
        return codes

    def __repr__(self) -> str:
        return f"<Latents: {self.mean.shape[0]} measures, {self.mean.shape[1]} dimensions>"


def from_melody(melody: Melody, model: Model) -> Latents:
    """Encode a melody, without the measures that arvae cannot read."""
    readable = melody.by_meter()
    measures = sorted(i for _, indices, _ in readable for i in indices)
    position = {i: n for n, i in enumerate(measures)}
    mean = np.zeros((len(measures), model.runtime.latent), dtype=np.float32)
    codes = np.zeros(len(measures), dtype=np.int64)
    for meter, indices, rows in readable:
        at = [position[i] for i in indices]
        mean[at], codes[at] = model.runtime.encode(rows, meter), meter.code
    dimensions = {scale.name: scale.dimension for scale in model.metadata.scales if scale.dimension != NOT_CARRIED}
    return Latents(mean, np.array(measures, dtype=np.int64), codes, dimensions)


def to_melody(
    latents: Latents | npt.ArrayLike, melody: Melody | None, meters: str | Sequence[str] | None, model: Model
) -> Melody:
    """Decode latent points into `melody`, or into a new melody if it is None; see `Model.decode`."""
    mean = np.asarray(latents.mean if isinstance(latents, Latents) else latents, dtype=np.float32)
    if mean.ndim != 2 or mean.shape[1] != model.runtime.latent:
        raise UsageError(
            f"the latent points have the shape {mean.shape}",
            remedy=f"give the shape (measures, {model.runtime.latent})",
        )
    measures = latents.measures.tolist() if isinstance(latents, Latents) else list(range(len(mean)))
    meter_of = _meters(latents, melody, meters, measures, len(mean))
    rows: dict[int, Row] = {}
    for meter in set(meter_of):
        at = [n for n, other in enumerate(meter_of) if other == meter]
        rows.update(zip(at, decode(model.runtime, mean[at], meter), strict=True))
    if melody is None:
        bars = tuple(Bar(n + 1, meter.name, 0, 0, meter, rows[n]) for n, meter in enumerate(meter_of))
        return Melody("decoded", bars, 0, 0)
    return melody.with_rows({i: rows[n] for n, i in enumerate(measures)})


def _meters(
    latents: Latents | npt.ArrayLike,
    melody: Melody | None,
    meters: str | Sequence[str] | None,
    measures: Sequence[int],
    count: int,
) -> list[Meter]:
    """The meter of each latent point. Raises UsageError if a meter is missing or differs from the melody's."""
    if isinstance(latents, Latents) and meters is None:
        known: list[Meter | None] = [Meter.from_code(int(code)) for code in latents.meters]
    elif meters is not None:
        try:
            known = [Meter.parse(name) for name in ([meters] * count if isinstance(meters, str) else meters)]
        except ValueError as error:
            raise UsageError(str(error), remedy='write meters="4/4"') from None
    elif melody is not None:
        known = [melody.bars[i].meter for i in measures if i < len(melody.bars)]
    else:
        raise UsageError("the meters of the measures are missing", remedy='give meters="4/4"')
    result = [meter for meter in known if meter is not None]
    if len(result) != count:
        raise UsageError(
            f"{count} latent points have {len(result)} meters", remedy="give one meter for each latent point"
        )
    if melody is not None:
        for i, meter in zip(measures, result, strict=True):
            if i >= len(melody.bars) or melody.bars[i].tokens is None or melody.bars[i].meter != meter:
                raise UsageError(
                    f"the melody has no measure in {meter.name} at index {i}",
                    remedy="give the melody that was encoded, or no melody",
                )
    return result
