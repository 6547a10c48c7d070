"""GLSR-VAE: attribute k of the decoded output should grow with dimension k at a constant rate. Hadjeres, Nielsen &
Pachet, "GLSR-VAE: Geodesic Latent Space Regularization for Variational AutoEncoder Architectures", 2017,
arXiv:1707.04588, section 2.

    reconstruction + beta KL + gamma sum over k of -log N( d a_k / d z_k ; 1, 1 )      a_k of the decode of z

The paper differentiates the attribute through the decoder, which needs attributes with a derivative. Here attributes
are black boxes on decoded tokens and have none. Therefore a_k is the mean attribute of decodes SAMPLED from z, which is
smooth in z for any attribute. Its derivative is approximated by a central difference of width 2 H, about the smallest
step that changes decodes. The gradient of the difference is estimated by the score function (Williams 1992),

    s = ( a(x+) - a(x-) ) / 2H,   x+ ~ p(x | z + H e_k),  x- ~ p(x | z - H e_k)
    gradient of (E s - 1)^2 / 2  =  (E s - 1) E[ ( (a(x+) - b) grad log p(x+) - (a(x-) - b') grad log p(x-) ) / 2H ]

with PAIRS independent pairs of decodes for each code. The factor and the baselines of a pair are computed from the
other pairs, so that the estimate is unbiased. Attributes are standardised, so that one unit of the code should
correspond to one standard deviation of the corpus. Each step regularises one random attribute, at the codes of ROWS
measures of the batch, and only trains the decoder: if these noisy gradients reached the encoder, the posterior would
collapse.
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

H = 0.5  # half the width of the central difference, in units of the code
ROWS = 16  # codes that a step regularises; sampling for these costs as much as the rest of the step
PAIRS = 4  # pairs of decodes for each code


@dataclass(frozen=True, eq=False)
class GlsrVae(Objective):
    beta: float
    gamma: float
    measure: Measure  # the standardised attributes of rows
    attributes: int
    carriage: ClassVar[Carriage] = "trained"

    def terms(self, step: Step) -> Terms:
        k = int(torch.randint(self.attributes, ()))
        values, log_probs = self._decodes(step, k)
        slope = self.attributes * slope_loss(values, log_probs)  # an estimate of the sum over all
        return evidence(step, self.beta).plus("slope", self.gamma, slope)

    def _decodes(self, step: Step, k: int) -> tuple[Tensor, Tensor]:
        """Attribute k and the log-probability of sampled decodes, (PAIRS, 2, m) each, at the codes + H and - H."""
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
    """The mean of (E s - 1)^2 / 2 over m codes, from (pairs, 2, m) standardised attributes of decodes above and below
    the codes, and their log-probabilities. The estimates of the loss and its gradient are unbiased; the loss can be
    negative.
    """
    away = (values[:, 0] - values[:, 1]) / (2 * H) - 1  # the distance from a slope of 1
    scored = (values - _others(values)) * log_probs / (2 * H)
    surrogate = (_others(away) * (scored[:, 0] - scored[:, 1])).mean()
    loss = 0.5 * (_others(away) * away).mean()
    return loss + surrogate - surrogate.detach()


def _others(values: Tensor) -> Tensor:
    """(pairs, ...) -> for each pair, the mean of the others."""
    return (values.sum(dim=0) - values) / (len(values) - 1)


def make(setting: Setting) -> GlsrVae:
    """Make the objective. Raises UsageError if the setting has no `measure`."""
    measure = setting.measure
    if measure is None:
        raise UsageError("glsr-vae measures decoded rows", remedy="give the Setting a `measure`")
    mean, sd = standard(setting.values)
    return GlsrVae(setting.beta, setting.gamma, lambda rows: (measure(rows) - mean) / sd, setting.attributes)
