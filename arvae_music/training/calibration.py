"""Calibration: after training, find the latent dimension, the scale and the correlations of each attribute.

The checkpoint of a model of measures or of images holds the result. The dimension of an attribute depends on the
objective (objectives.Carriage): attribute k lies in dimension k if the objective trained or gave it; otherwise the most
informative dimension is searched for. Attributes without a latent dimension may be calibrated too: of these only the
statistics are kept.

A checkpoint stores its weights in half precision, which halves the file. The calibration is therefore computed with
weights that are rounded to half precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import nn

from ..arrays import Floats, Ints
from ..errors import CheckpointError
from ..vae.checkpoint import halved as nearest_half
from ..vae.examples import Examples, spread
from ..vae.model import ArVae, posteriors
from ..vae.normal_scores import Codes
from ..vae.scales import NOT_CARRIED, Scale, calibrate, correlations
from ..vae.statistics import mutual_information, sampled, spearman
from .objectives import Carriage

Weights = dict[str, Floats]
Matrix = tuple[tuple[float, ...], ...]
Mirror = Callable[[Mapping[str, Floats], Sequence[int]], Weights]  # flips the sign of these latent dimensions

CALIBRATION_ROWS = 20_000  # the largest number of training rows that the calibration is fitted on


class Calibration(NamedTuple):
    """The scales and correlations of a model's attributes, and its weights, rounded to half precision."""

    scales: tuple[Scale, ...]
    correlation: Matrix
    code_correlation: Matrix
    weights: Weights


def calibration_rows(train: Examples) -> Ints:
    """The rows that the calibration is fitted on, evenly spread."""
    return spread(len(train), CALIBRATION_ROWS)


def calibrated(
    model: ArVae,
    train: Examples,
    at: Ints,
    others: Mapping[str, Floats],
    origins: Sequence[str],
    carriage: Carriage,
    mirrored: Mirror,
) -> Calibration:
    """Calibrate a model on the rows `at` of `train`.

    `others` are the values, on those rows, of attributes without a latent dimension. `origins` tells where each
    attribute of `train` comes from: "" or module:function. `mirrored` flips the sign of latent dimensions: a dimension
    that falls as its attribute rises is flipped in the weights.
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
    named = [*zip(train.names, origins, dimensions, strict=True), *((name, "", NOT_CARRIED) for name in others)]
    found = from_codes(named, values, own[:, list(dimensions)], weights)
    if known is None:
        return found
    scales = [one.into(scale) for scale, one in zip(found.scales[:count], known.scores, strict=True)]
    return found._replace(scales=(*scales, *found.scales[count:]))


def from_codes(named: Sequence[tuple[str, str, int]], values: Floats, own: Floats, weights: Weights) -> Calibration:
    """The calibration of attributes, `named` by their names, origins and dimensions, from the (n, k) values of all and
    the (n, c) codes of the first c. The others have no latent dimension. Raises CheckpointError if a code is not
    finite."""
    if not np.isfinite(own).all():
        raise CheckpointError("the model's codes are not finite", remedy="train it again")
    codes = np.zeros_like(values)
    codes[:, : own.shape[1]] = own
    scales = [calibrate(name, origin, d, values[:, i], codes[:, i]) for i, (name, origin, d) in enumerate(named)]
    correlation, code_correlation = correlations(values, codes)
    return Calibration(tuple(scales), correlation, code_correlation, weights)


M = TypeVar("M", bound=nn.Module)


@torch.no_grad()
def halved(model: M) -> M:
    """A copy of the model with its weights rounded to half precision."""
    found = deepcopy(model)
    weights = found.state_dict()  # the tensors themselves, not copies
    for value in weights.values():
        value.copy_(torch.from_numpy(nearest_half(value.cpu().numpy())))
    return found


def find_dimensions(codes: Floats, values: Floats) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(n, z) sampled codes and (n, k) values -> the dimension of each attribute, and those that fall as it rises.

    An attribute gets the dimension with which it shares the most mutual information, as published
    (evaluation/metrics.py). Here no two attributes get the same dimension, because they could not be edited separately:
    the pair with the largest information is assigned first. The codes must be sampled from the posterior: the mean may
    be informative in a dimension whose noise hides it from the decoder.
    """
    information = mutual_information(codes, values)
    dimensions = np.full(values.shape[1], NOT_CARRIED)
    for _ in range(values.shape[1]):
        d, k = np.unravel_index(information.argmax(), information.shape)
        dimensions[k] = d
        information[d], information[:, k] = -1.0, -1.0
    falls = [int(d) for k, d in enumerate(dimensions) if spearman(values[:, k], codes[:, d]) < 0]
    return tuple(dimensions.tolist()), tuple(falls)
