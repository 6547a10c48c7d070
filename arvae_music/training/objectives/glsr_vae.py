"""GLSR-VAE: what is decoded changes with dimension k as attribute k should. Hadjeres, Nielsen & Pachet, "GLSR-VAE:
Geodesic Latent Space Regularization for Variational AutoEncoder Architectures", 2017, arXiv:1707.04588, section 2.

    reconstruction + beta KL + gamma sum over k of -log N( d a_k / d z_k ; 1, 1 )      a_k of the decode of z

The paper differentiates the attribute through the decoder, which needs attributes with a derivative. Here they are
black boxes on what is decoded, tokens, and have none. So a_k is the mean attribute of decodes DRAWN from z, which is
smooth in z whatever the attribute is; its derivative is a central difference of width 2 H, the least step that decodes
can be expected to answer; and the gradient of that is the score function's (Williams 1992),

    s = ( a(x+) - a(x-) ) / 2H,   x+ ~ p(x | z + H e_k),  x- ~ p(x | z - H e_k)
    gradient of (E s - 1)^2 / 2  =  (E s - 1) E[ ( (a(x+) - b) grad log p(x+) - (a(x-) - b') grad log p(x-) ) / 2H ]

with PAIRS independent pairs a code: to each, the others give the factor and the baselines, so that the estimate is
unbiased. Attributes are standardised: one deviation of the latent prior moves one of the corpus. A step regularises one
attribute, drawn by chance, at the codes of ROWS of its measures, and moves the decoder only: the noise of such
gradients, sent on to the encoder, makes the posterior collapse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ...errors import UsageError
from ...vae.examples import standard
from .entries import Carriage
from .objective import Measure, Objective, Setting, Step, Terms, evidence

H = 0.5  # of the latent's unit
ROWS = 16  # measures whose codes are looked at in a step: sampling costs as much as all else
PAIRS = 4  # of decodes


@dataclass(frozen=True, eq=False)
class GlsrVae(Objective):
    beta: float
    gamma: float
    measure: Measure  # standardised attributes of decodes
    attributes: int
    carriage: ClassVar[Carriage] = "trained"

    def terms(self, step: Step) -> Terms:
        k = int(torch.randint(self.attributes, ()))
        values, log_probs = self._decodes(step, k)
        slope = self.attributes * slope_loss(values, log_probs)  # of one in so many attributes
        return evidence(step, self.beta).plus("slope", self.gamma, slope)

    def _decodes(self, step: Step, k: int) -> tuple[Tensor, Tensor]:
        """Attribute k and log-probability of decodes, (PAIRS, 2, m) each: above and below each of m codes."""
        z, inputs = step.outputs.z[-ROWS:].detach(), step.batch.inputs[-ROWS:]
        aside = torch.zeros_like(z)
        aside[:, k] = H
        ends = torch.cat([z + aside, z - aside]).repeat(PAIRS, 1)
        around = inputs.repeat(2 * PAIRS, *[1] * (inputs.dim() - 1))
        drawn = step.model.sample(ends, around)
        values = self.measure(drawn.cpu().numpy())[:, k].astype(np.float32)
        shape = (PAIRS, 2, len(z))
        log_probs = step.model.log_prob(ends, drawn).reshape(shape)
        return torch.from_numpy(values).to(z.device).reshape(shape), log_probs


def slope_loss(values: Tensor, log_probs: Tensor) -> Tensor:
    """(pairs, above and below, m) standardised attributes of decodes and their log-probabilities -> the mean of
    (E s - 1)^2 / 2 over the m codes, unbiased (so that it may come out below zero), and its gradient.
    """
    away = (values[:, 0] - values[:, 1]) / (2 * H) - 1  # from a slope of 1
    scored = (values - _others(values)) * log_probs / (2 * H)
    surrogate = (_others(away) * (scored[:, 0] - scored[:, 1])).mean()
    loss = 0.5 * (_others(away) * away).mean()
    return loss + surrogate - surrogate.detach()


def _others(values: Tensor) -> Tensor:
    """(pairs, ...) -> at each pair, the mean of the others."""
    return (values.sum(dim=0) - values) / (len(values) - 1)


def make(setting: Setting) -> GlsrVae:
    """Raises UsageError where there is nothing to measure decodes by."""
    measure = setting.measure
    if measure is None:
        raise UsageError("glsr-vae measures what is decoded, and nothing was given to measure it by")
    mean, sd = standard(setting.values)
    return GlsrVae(setting.beta, setting.gamma, lambda rows: (measure(rows) - mean) / sd, setting.attributes)
