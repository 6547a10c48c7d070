"""What a trained model carries where: the latent dimension, scale and correlations of each attribute, for its
checkpoint. Of measures and of images alike.

Attribute k lies in dimension k, or where it is `found`, or its exact value is `given`: objectives.Carriage. Besides
those that are carried, `values` may have further columns, of attributes that only the statistics are kept of.

A checkpoint has its weights in half precision, half as large a file; what is found here is found of those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch

from ..arrays import Floats, Ints
from ..vae.checkpoint import halved as nearest_half
from ..vae.examples import Examples, spread
from ..vae.model import ArVae, posteriors
from ..vae.normal_scores import Codes
from ..vae.scales import NOT_CARRIED, Scale, calibrate, correlations
from ..vae.statistics import mutual_information, sampled, spearman
from .objectives import Carriage

Weights = dict[str, Floats]
Matrix = tuple[tuple[float, ...], ...]
Mirror = Callable[[Mapping[str, Floats], Sequence[int]], Weights]  # turns the sign of these dimensions round

CALIBRATION_ROWS = 20_000  # training rows that the calibration is fitted on, at most


class Carried(NamedTuple):
    scales: tuple[Scale, ...]
    correlation: Matrix
    code_correlation: Matrix
    weights: Weights


def calibration_rows(train: Examples) -> Ints:
    """The rows that the calibration is fitted on, evenly spread."""
    return spread(len(train), CALIBRATION_ROWS)


def carried(
    model: ArVae,
    train: Examples,
    at: Ints,
    others: Mapping[str, Floats],
    origins: Sequence[str],
    carriage: Carriage,
    mirrored: Mirror,
) -> Carried:
    """Calibrated on rows `at` of `train`; `others` are further attributes' values of those rows.

    `origins` says where each attribute of `train` comes from: "" or module:function.
    """
    model = halved(model)
    inputs, count = train.take(at).inputs, len(train.names)
    values = np.column_stack([train.attributes[at], *others.values()]).astype(np.float64)
    weights: Weights = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    dimensions, (own, log_variance) = tuple(range(count)), posteriors(model, inputs)
    known = Codes.of_examples(train) if carriage == "given" else None
    if carriage == "found":
        codes = sampled(own, log_variance, np.random.default_rng(0))
        dimensions, turned = find_dimensions(codes, values[:, :count])
        weights = mirrored(weights, turned)
        own[:, list(turned)] *= -1
    elif known is not None:
        own[:, :count] = known(train.attributes[at])
    codes = np.zeros_like(values)
    codes[:, :count] = own[:, list(dimensions)]
    named = [*zip(train.names, origins, dimensions, strict=True), *((name, "", NOT_CARRIED) for name in others)]
    scales = [calibrate(name, origin, d, values[:, i], codes[:, i]) for i, (name, origin, d) in enumerate(named)]
    if known is not None:
        scales[:count] = [one.into(scale) for scale, one in zip(scales[:count], known.scores, strict=True)]
    correlation, code_correlation = correlations(values, codes)
    return Carried(tuple(scales), correlation, code_correlation, weights)


@torch.no_grad()
def halved(model: ArVae) -> ArVae:
    """A copy with the nearest weights that half precision holds."""
    found = deepcopy(model)
    weights = found.state_dict()  # the very tensors
    for value in weights.values():
        value.copy_(torch.from_numpy(nearest_half(value.cpu().numpy())))
    return found


def find_dimensions(codes: Floats, values: Floats) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(n, z) sampled codes, (n, k) values -> the dimension of each attribute, and those that fall where it rises.

    The dimension with the most mutual information, as published (metrics.py), but each is given once, the largest
    information first: attributes that shared one could not be moved apart. Codes are sampled, since the mean of a
    dimension that the decoder cannot hear through the noise may still tell of an attribute.
    """
    information = mutual_information(codes, values)
    dimensions = np.full(values.shape[1], NOT_CARRIED)
    for _ in range(values.shape[1]):
        d, k = np.unravel_index(information.argmax(), information.shape)
        dimensions[k] = d
        information[d], information[:, k] = -1.0, -1.0
    falls = [int(d) for k, d in enumerate(dimensions) if spearman(values[:, k], codes[:, d]) < 0]
    return tuple(dimensions.tolist()), tuple(falls)
