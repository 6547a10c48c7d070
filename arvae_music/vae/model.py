"""The AR-VAE: an encoder and a decoder of any kind around one Gaussian latent.

Only the two networks know what the inputs are; this module passes them through. Shapes: b batch, z latent.
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
    """The distribution that the decoder predicts, and the true output. `-distribution.log_prob(target).mean()` is the
    reconstruction term, for tokens (Categorical) and for pixels (Bernoulli)."""

    distribution: Distribution
    target: Tensor


class Encoder(Protocol):
    def __call__(self, inputs: Tensor) -> Posterior: ...


class Decoder(Protocol):
    def __call__(self, z: Tensor, inputs: Tensor) -> Decoding:
        """The decoding of z; an autoregressive decoder is teacher-forced with `inputs`."""

    def generate(self, z: Tensor, inputs: Tensor) -> Tensor:
        """The most likely output, decoded freely; of `inputs` only the context is read (the meter)."""

    def sample(self, z: Tensor, inputs: Tensor) -> Tensor:
        """(p, z) points and b inputs -> (b, ...) outputs, drawn from the predicted distribution; b / p consecutive
        outputs belong to each point. Of `inputs` only the context is read, as in `generate`."""

    def log_prob(self, z: Tensor, inputs: Tensor) -> Tensor:
        """(b,) log-probabilities with which `sample` draws the rows `inputs`, without drop-out. Differentiable in z and
        in the weights. As in `sample`, z may be (p, z) points with b / p rows each."""


class Outputs(NamedTuple):
    posterior: Posterior
    z: Tensor  # (b, z), sampled from the posterior; if the decoder is given codes, they are its first dimensions
    decoding: Decoding

    @property
    def reconstruction(self) -> Tensor:
        """The negative log-likelihood of the true output in nats: for measures the mean over all tokens, for images the
        sum over the pixels of an image, averaged over the batch."""
        return -self.decoding.distribution.log_prob(self.decoding.target).mean()


class ArVae(nn.Module):
    """A variational autoencoder whose first latent dimensions represent attributes.

    In training, `null_share` of the rows are decoded from z = 0, which lies far from all posteriors. The decoder
    thereby also learns to model measures in general, and can judge how plausible a measure is. The first `made_up` rows
    of a batch, which augmentation made, are never decoded from z = 0.

    `flow` (flow.py) covers the last dimensions; `freed` uses it to make them independent of the codes. `context`
    computes what the decoder knows about the inputs besides z, as (b, c).
    """

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
        """Encode, sample and decode. `codes` (b, k) replace the first k dimensions of the sampled z."""
        posterior = self.posterior(inputs)
        noise = torch.randn_like(posterior.mean)
        z = with_codes(self.used(posterior.mean + noise * (0.5 * posterior.log_variance).exp()), codes)
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
        """(b, z) points -> the same with u instead of z in the flow's dimensions; unchanged without a flow."""
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
        """The conditions of the flow: the codes and the context of the inputs."""
        return torch.cat([codes, self.context(inputs)], dim=1)

    def _parted(self, z: Tensor, flow: ConditionalFlow) -> tuple[Tensor, Tensor]:
        return z[:, : self.latent - flow.size], z[:, self.latent - flow.size :]

    def used(self, z: Tensor) -> Tensor:
        """(b, z) with zeros in the dimensions that the flow has switched off (ConditionalFlow.narrow)."""
        if self.flow is None:
            return z
        codes, others = self._parted(z, self.flow)
        return torch.cat([codes, others * self.flow.used], dim=1)

    @torch.no_grad()
    def reconstruct(self, inputs: Tensor, codes: Tensor | None = None) -> Tensor:
        """The most likely output for the posterior mean, with `codes` (b, k), if any, as its first dimensions."""
        return cast(Decoder, self.decoder).generate(with_codes(self.posterior(inputs).mean, codes), inputs)

    def sample(self, z: Tensor, inputs: Tensor) -> Tensor:
        """See Decoder."""
        return cast(Decoder, self.decoder).sample(z, inputs)

    def log_prob(self, z: Tensor, inputs: Tensor) -> Tensor:
        """See Decoder."""
        return cast(Decoder, self.decoder).log_prob(z, inputs)


def with_codes(z: Tensor, codes: Tensor | None) -> Tensor:
    """(b, z) with the first k dimensions replaced by the (b, k) codes, unless these are None."""
    return z if codes is None else torch.cat([codes, z[:, codes.shape[1] :]], dim=1)


def restored(checkpoint: Checkpoint, build: Callable[[dict[str, Any]], ArVae]) -> ArVae:
    """The checkpoint's model. `build` makes a model of its dimensions. Raises CheckpointError if the weights do not
    fit.
    """
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


@torch.no_grad()
def posteriors(model: ArVae, inputs: Any) -> tuple[Float64s, Float64s]:
    """(n, ...) rows, an array or LazyRows -> posterior means and log-variances, (n, z) each."""
    model.eval()
    device = next(model.parameters()).device
    starts = range(0, len(inputs), BATCH)
    batches = (torch.from_numpy(np.ascontiguousarray(inputs[start : start + BATCH])).to(device) for start in starts)
    parts = [model.posterior(batch) for batch in batches]
    if not parts:
        return np.zeros((0, model.latent)), np.zeros((0, model.latent))
    mean, log_variance = (torch.cat(side).cpu().double().numpy() for side in zip(*parts, strict=True))
    return mean, log_variance
