"""The AR-VAE: an encoder and a decoder of any kind around one Gaussian latent.

What the inputs are is the two networks' affair: the core passes them through. Shapes: b batch, z latent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..arrays import Float64s
from ..errors import CheckpointError
from .checkpoint import Checkpoint
from .flow import ConditionalFlow

BATCH = 2048  # rows encoded at a time


class Posterior(NamedTuple):
    mean: Tensor  # (b, z)
    log_variance: Tensor  # (b, z)


class Decoding(NamedTuple):
    """What the decoder believes, and what was there; `-distribution.log_prob(target).mean()` is the
    reconstruction term, for tokens (Categorical) and pixels (Bernoulli) alike."""

    distribution: Distribution
    target: Tensor


class Encoder(Protocol):
    def __call__(self, inputs: Tensor) -> Posterior: ...


class Decoder(Protocol):
    def __call__(self, z: Tensor, inputs: Tensor) -> Decoding:
        """Teacher-forced where the decoder is autoregressive."""

    def generate(self, z: Tensor, inputs: Tensor) -> Tensor:
        """The most likely output, free-running; `inputs` gives only what is not decoded (the meter)."""

    def sample(self, z: Tensor, inputs: Tensor) -> Tensor:
        """(p, z) -> (b, ...), b / p outputs of each point one after another, drawn from what the decoder believes;
        else as `generate`."""

    def log_prob(self, z: Tensor, inputs: Tensor) -> Tensor:
        """(b,) of whole rows, as `sample` would draw them: no drop-out. Differentiable in z and the weights. Here too
        z may be (p, z), of b / p rows each."""


class Outputs(NamedTuple):
    posterior: Posterior
    z: Tensor  # (b, z), sampled; exact codes in its first dimensions where the decoder is given those
    decoding: Decoding

    @property
    def reconstruction(self) -> Tensor:
        """What the decoder's belief costs, in nats: of measures the mean over tokens, of images, which it believes as a
        whole, the sum over pixels, mean over the batch."""
        return -self.decoding.distribution.log_prob(self.decoding.target).mean()


class ArVae(nn.Module):
    """`null_share` of the training rows are decoded from z = 0, which no posterior ever comes near: so the
    decoder also learns to be a model of measures in general, and can judge how plausible one is. The first
    `made_up` rows of a batch are augmentation, not music, and are never among them.

    With a `flow` (flow.py) the last dimensions, as many as it has, can be `freed` of what the others tell; `context`
    is what the decoder knows of the inputs besides z."""

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        latent: int,
        null_share: float = 0.0,
        flow: ConditionalFlow | None = None,
        context: Callable[[Tensor], Tensor] = lambda inputs: torch.zeros(len(inputs), 0, device=inputs.device),
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent = latent
        self.null_share = null_share
        self.flow = flow
        self.context = context

    def forward(self, inputs: Tensor, made_up: int = 0, codes: Tensor | None = None) -> Outputs:
        """`codes` (b, k): what the decoder is given in the place of the first k dimensions."""
        posterior = self.posterior(inputs)
        noise = torch.randn_like(posterior.mean)
        z = given(self.used(posterior.mean + noise * (0.5 * posterior.log_variance).exp()), codes)
        seen = z
        if self.training and self.null_share:
            null = torch.rand(len(z), 1, device=z.device) < self.null_share
            null[:made_up] = False
            seen = z * ~null
        return Outputs(posterior, z, self.decoder(seen, inputs))

    def posterior(self, inputs: Tensor) -> Posterior:
        mean, log_variance = self.encoder(inputs)
        return Posterior(self.used(mean), log_variance)

    def freed(self, z: Tensor, inputs: Tensor) -> Tensor:
        """(b, z) -> (b, z) with u in the place of the flow's dimensions; z where there is no flow."""
        if self.flow is None:
            return z
        codes, others = self._parted(z, self.flow)
        return torch.cat([codes, self.flow.inverse(others, self.conditions(codes, inputs))[0]], dim=1)

    def bound(self, u: Tensor, inputs: Tensor) -> Tensor:
        """The inverse of `freed`."""
        if self.flow is None:
            return u
        codes, others = self._parted(u, self.flow)
        return torch.cat([codes, self.flow(others, self.conditions(codes, inputs))], dim=1)

    def conditions(self, codes: Tensor, inputs: Tensor) -> Tensor:
        """What the flow is told."""
        return torch.cat([codes, self.context(inputs)], dim=1)

    def _parted(self, z: Tensor, flow: ConditionalFlow) -> tuple[Tensor, Tensor]:
        return z[:, : self.latent - flow.size], z[:, self.latent - flow.size :]

    def used(self, z: Tensor) -> Tensor:
        """(b, z) with zeros in the dimensions that the flow has been narrowed by."""
        if self.flow is None:
            return z
        codes, others = self._parted(z, self.flow)
        return torch.cat([codes, others * self.flow.used], dim=1)

    @torch.no_grad()
    def reconstruct(self, inputs: Tensor, codes: Tensor | None = None) -> Tensor:
        """Free-running decode from the posterior mean."""
        return cast(Decoder, self.decoder).generate(given(self.posterior(inputs).mean, codes), inputs)

    def sample(self, z: Tensor, inputs: Tensor) -> Tensor:
        """See Decoder."""
        return cast(Decoder, self.decoder).sample(z, inputs)

    def log_prob(self, z: Tensor, inputs: Tensor) -> Tensor:
        """See Decoder."""
        return cast(Decoder, self.decoder).log_prob(z, inputs)


def given(z: Tensor, codes: Tensor | None) -> Tensor:
    """(b, z) with the first k dimensions replaced by (b, k) codes, if there are any."""
    return z if codes is None else torch.cat([codes, z[:, codes.shape[1] :]], dim=1)


def restored(checkpoint: Checkpoint, build: Callable[[dict[str, Any]], ArVae]) -> ArVae:
    """`build` makes a model of the checkpoint's dimensions. Raises CheckpointError where the weights do not fit it."""
    try:
        model = build(checkpoint.metadata.dims)
        model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in checkpoint.weights.items()})
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"its weights do not fit its dimensions ({str(error).splitlines()[0]})",
            where=str(checkpoint.path or "the model"),
            remedy="train anew",
        ) from error
    return model.eval()


def posterior_means(model: ArVae, inputs: Any) -> Float64s:
    """(n, ...) rows -> (n, z)"""
    return posteriors(model, inputs)[0]


@torch.no_grad()
def posteriors(model: ArVae, inputs: Any) -> tuple[Float64s, Float64s]:
    """(n, ...) rows, an array or lazy -> means and log-variances, (n, z) each."""
    model.eval()
    device = next(model.parameters()).device
    starts = range(0, len(inputs), BATCH)
    batches = (torch.from_numpy(np.ascontiguousarray(inputs[start : start + BATCH])).to(device) for start in starts)
    parts = [model.posterior(batch) for batch in batches]
    if not parts:
        return np.zeros((0, model.latent)), np.zeros((0, model.latent))
    mean, log_variance = (torch.cat(side).cpu().double().numpy() for side in zip(*parts, strict=True))
    return mean, log_variance
