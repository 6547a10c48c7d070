"""The networks of images: convolutions around one Gaussian latent (vae/model.py's ArVae), after Pati & Lerch (2020).

    encoder   s x s -> patches -> halved twice by convolutions -> one hidden layer -> z
    decoder   the same layers in reverse

In the reference implementation four or more convolutions run at full resolution, which takes most of its time. Here the
first convolution has a stride of `patch` pixels, and the last one makes `patch` x `patch` pixels at a time (Shi et al.
2016). A CPU needs a third of the time for this.

A row is a picture, (size, size) uint8: 0 is black, 255 white, and grey is a probability of white. The reconstruction
term is that of Bernoulli distributions, SUMMED over the pixels as published, so that beta, gamma and delta have the
paper's scale for images.

Shapes: b batch, s size, c channels, z latent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

from ..arrays import Array, Floats
from ..vae.model import ArVae, Decoding, Posterior

LOG_VARIANCE = (-10.0, 4.0)
WHITE = 255.0


@dataclass(frozen=True)
class ImageDims:
    size: int  # pixels of a side of the picture
    patch: int  # stride of the first convolution in pixels, which divides `size`
    latent: int
    channels: tuple[int, int, int] = (32, 64, 64)
    hidden: int = 128

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON has lists
        if min(self.size, self.patch, self.latent, self.hidden, *self.channels) < 1 or self.size % self.patch:
            raise ValueError(f"no network has the dimensions {self}")

    @property
    def sides(self) -> tuple[int, int, int]:
        """The sides of the three feature maps, largest first."""
        first = self.size // self.patch
        second = -(-first // 2)
        return first, second, -(-second // 2)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "channels": list(self.channels)}


def build(dims: ImageDims) -> ArVae:
    return ArVae(Encoder(dims), Decoder(dims), dims.latent)


class Encoder(nn.Module):
    def __init__(self, dims: ImageDims) -> None:
        super().__init__()
        (first, second, third), sides = dims.channels, dims.sides
        self.net = nn.Sequential(
            nn.Conv2d(1, first, dims.patch + 2, dims.patch, 1),
            nn.ReLU(),
            nn.Conv2d(first, second, _kernel(sides[0]), 2, 1),
            nn.ReLU(),
            nn.Conv2d(second, third, _kernel(sides[1]), 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(third * sides[2] ** 2, dims.hidden),
            nn.ReLU(),
            nn.Linear(dims.hidden, 2 * dims.latent),
        )

    def forward(self, inputs: Tensor) -> Posterior:
        """(b, s, s) -> (b, z), (b, z)"""
        mean, log_variance = self.net(white(inputs)[:, None]).chunk(2, dim=1)
        return Posterior(mean, log_variance.clamp(*LOG_VARIANCE))


class Decoder(nn.Module):
    def __init__(self, dims: ImageDims) -> None:
        super().__init__()
        (first, second, third), sides = dims.channels, dims.sides
        self.net = nn.Sequential(
            nn.Linear(dims.latent, dims.hidden),
            nn.ReLU(),
            nn.Linear(dims.hidden, third * sides[2] ** 2),
            nn.ReLU(),
            nn.Unflatten(1, (third, sides[2], sides[2])),
            nn.ConvTranspose2d(third, second, _kernel(sides[1]), 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(second, first, _kernel(sides[0]), 2, 1),
            nn.ReLU(),
            nn.Conv2d(first, dims.patch**2, 3, 1, 1),
            nn.PixelShuffle(dims.patch),
        )

    def logits(self, z: Tensor) -> Tensor:
        """(b, z) -> (b, s, s)"""
        result: Tensor = self.net(z)[:, 0]
        return result

    def forward(self, z: Tensor, inputs: Tensor) -> Decoding:
        pixels = Bernoulli(logits=self.logits(z), validate_args=False)  # grey targets are intended
        return Decoding(Independent(pixels, 2, validate_args=False), white(inputs))

    def generate(self, z: Tensor, inputs: Tensor) -> Tensor:
        return self.draw(z)

    def sample(self, z: Tensor, inputs: Tensor) -> Tensor:
        """Pictures of black and white pixels, drawn from the predicted distribution."""
        likely = self.logits(z).sigmoid().repeat_interleave(len(inputs) // len(z), dim=0)
        return (torch.bernoulli(likely) * WHITE).to(torch.uint8)

    def log_prob(self, z: Tensor, inputs: Tensor) -> Tensor:
        """(b,) log-probabilities of whole pictures."""
        distribution, target = self(z.repeat_interleave(len(inputs) // len(z), dim=0), inputs)
        result: Tensor = distribution.log_prob(target)
        return result

    def draw(self, z: Tensor) -> Tensor:
        """(b, z) -> (b, s, s) uint8 pictures, grey for the probability of white."""
        return (self.logits(z).sigmoid() * WHITE).round().to(torch.uint8)


def mirrored(weights: Mapping[str, Floats], dimensions: Sequence[int], latent: int) -> dict[str, Floats]:
    """The weights of the same model with the signs of these latent dimensions flipped."""
    sign = np.ones(latent, dtype=np.float32)
    sign[list(dimensions)] = -1.0
    both = np.concatenate([sign, np.ones_like(sign)])  # flips the means, not the log-variances
    turned = dict(weights)
    for name in ("encoder.net.9.weight", "encoder.net.9.bias"):
        turned[name] = (weights[name].T * both).T
    turned["decoder.net.0.weight"] = weights["decoder.net.0.weight"] * sign
    return turned


def _kernel(side: int) -> int:
    """The kernel size of a convolution that halves a map of this side, rounding up, and whose transpose restores it."""
    return 3 if side % 2 else 4


def white(inputs: Tensor) -> Tensor:
    """uint8 pixels -> numbers from 0 (black) to 1 (white)."""
    return inputs.to(torch.float32) / WHITE


def accuracy(inputs: Tensor, outputs: Tensor) -> dict[str, float]:
    """The share of pixels that are white (at least half bright) in both pictures or in neither, as published, and the
    share of pictures in which all pixels are."""
    return accuracy_of(inputs.numpy(force=True), outputs.numpy(force=True))


def accuracy_of(inputs: Array, outputs: Array) -> dict[str, float]:
    """`accuracy` of arrays (n, h, w)."""
    same = (inputs >= 128) == (outputs >= 128)
    return {"pixels": float(same.mean()), "images": float(same.all(axis=(1, 2)).mean())}
