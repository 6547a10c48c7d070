"""An AR-VAE of measures in context: the loss orders dimension k by attribute k, and the decoder also learns without z.

    reconstruction( x | given part of z, context ) + beta KL + gamma sum over k of MAE( tanh(delta D_z) - sgn(D_a) )

The network is networks/contextual.py's, and the attribute loss that of Pati & Lerch (2020). Of z the decoder of each
measure gets everything, some of the attributes' dimensions alone, or nothing (`Given`), which is drawn at random. It
thereby learns to reconstruct, to obey requested attributes, and to predict a measure from its neighbours. Where it gets
everything, it sometimes gets a sketch: the other dimensions mixed with noise, so that the attributes' dimensions tell
what the sketch does not. A share of the steps shows every measure alone, so that the network can be used where nothing
is known of the context. In the last part of a run, from FINISH on, the decoder also learns from its own decodes
(own_decodes.py).

Reconstruction and KL are in nats a measure. The dimensions of the attributes have OWN times the weight `beta` of the
others in the KL: little, because the decoder can obey an attribute only as precisely as its dimension tells it.

A step has measures of one number of ticks. The attribute loss also compares them with a memory of measures of earlier
steps, so that measures of different meters are ordered too.

Shapes: b measures, z latent, k attributes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from ...networks.contextual import ContextualArVae, Given, Passed, Window
from ...networks.passages import SIDE
from ...vae.examples import standard
from ..losses import attribute_loss
from .entries import Carriage
from .objective import Batch, Memory, Objective, Phase, Setting, Step, Terms
from .own_decodes import FADING, OwnDecodes, moments_of

# Runs record these constants by their names (objectives.constants).
EVERYTHING = 0.62  # share of the measures of which the decoder gets the whole of z
SKETCHED = 0.25  # share of those of which it gets a sketch instead
SOME = 0.22  # share of those of which it gets some attributes; of the others it gets nothing
KEPT = 0.6  # the probability that an attribute is one of the `some`
ALONE = 0.12  # share of the steps in which each measure is shown alone
HIDDEN = 0.3  # mean share of the tokens that are hidden from the decoder where it gets the whole of z
OWN = 0.08  # the weight of the attributes' dimensions in the KL, in beta
FINISH = 0.675  # share of the run at which the decoder begins to learn from its own decodes
SLOWER = 0.4  # the learning rate from then on, as a share of the run's
COMPARED = 384  # measures of a step, and of the memory, that the attribute loss compares
REMEMBERED = 96  # measures of a step that enter the memory

PARTS = ("reader", "surroundings", "posterior_hidden", "to_latent", "decoder")


@dataclass(frozen=True, eq=False)
class Contextual(Objective):
    latent: int
    attributes: int
    beta: float
    gamma: float
    delta: float
    own_decodes: OwnDecodes | None = None  # None where attributes cannot be measured
    finish: float = FINISH
    carriage: ClassVar[Carriage] = "trained"

    @property
    def phases(self) -> tuple[Phase, ...]:
        first = Phase(0.0, PARTS)
        return (first,) if self.own_decodes is None else (first, Phase(self.finish, PARTS, SLOWER))

    @property
    def momentum(self) -> tuple[float, float]:
        return 0.9, 0.98

    @cached_property
    def memory(self) -> Memory:
        """The latest measures of earlier steps, the newest first, how many there are, and the fading moments of all
        codes. All ranks have the same."""
        return {
            "moments": torch.zeros(1 + self.latent, 1 + self.latent),
            "codes": torch.zeros(COMPARED, self.attributes),
            "values": torch.zeros(COMPARED, self.attributes),
            "count": torch.zeros((), dtype=torch.int64),
        }

    def arguments(self, batch: Batch) -> tuple[Any, ...]:
        window = Window.of_packed(batch.inputs)
        rows, like = window.here.numel(), batch.values
        if float(torch.rand(())) < ALONE:
            window = window.alone()
        which = torch.rand(rows, 1, device=like.device)
        everything = (which < EVERYTHING).float()
        some = (which >= EVERYTHING) & (which < EVERYTHING + SOME)
        kept = torch.rand(rows, self.attributes, device=like.device) < KEPT
        sketched = torch.rand(rows, 1, device=like.device) < SKETCHED
        level = torch.where(sketched, 0.05 + 0.9 * torch.rand(rows, 1, device=like.device), 1.0)
        given = Given(torch.maximum(everything, (some & kept).float()), everything * level)
        hidden = everything[:, 0] * 2 * HIDDEN * torch.rand(rows, device=like.device)
        return window, given, hidden

    def terms(self, step: Step) -> Terms:
        passed, k = cast(Passed, step.outputs), self.attributes
        here = (step.batch.inputs[:, :, 0] != 0).flatten()
        weight = here / _mean_of_ranks(here.sum())
        mean, log_variance = passed.posterior
        kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1)
        reconstruction = (passed.nats * weight).sum()
        terms = Terms(reconstruction, {"reconstruction": reconstruction})
        terms = terms.plus("kl", self.beta, (kl[:, k:].sum(dim=1) * weight).sum())
        terms = terms.plus("attribute_kl", OWN * self.beta, (kl[:, :k].sum(dim=1) * weight).sum())
        terms = terms.plus("attribute", self.gamma, self._attribute_loss(passed.z[:, :k], step.batch.values, here))
        moments = self._moments(mean.detach(), weight)
        if self.own_decodes is None or step.progress < self.finish:
            return terms
        packed = step.batch.inputs.flatten(0, 1)[:, :-SIDE].long()
        model = cast(ContextualArVae, step.model)
        return terms.plus("own_decodes", 1.0, self.own_decodes.loss(model, passed, packed, step.batch.values, moments))

    def _attribute_loss(self, codes: Tensor, values: Tensor, here: Tensor) -> Tensor:
        """The attribute loss of measures of this step and of the memory, which then takes some of this step's.

        Each rank compares its own measures and its share of the memory with everybody's, so that the loss is the same
        for any number of ranks.
        """
        rank, ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        there = here.nonzero()[:, 0]
        # Every rank must compare equally many. Some ranks may have shorter windows, whose measures then repeat.
        at = there[torch.arange(min(len(here), COMPARED // ranks), device=there.device) % len(there)]
        codes, values = codes[at], values[at]
        count = int(self.memory["count"])
        earlier = [self.memory[name][:count][rank::ranks].to(codes) for name in ("codes", "values")]
        if ranks > 1:  # of equal size too
            earlier = [one[: count // ranks] for one in earlier]
        loss = attribute_loss(torch.cat([codes, earlier[0]]), torch.cat([values, earlier[1]]), self.delta)
        some = torch.randperm(len(codes), device=codes.device)[: REMEMBERED // ranks]
        self._remember(_of_ranks(codes[some].detach()).cpu(), _of_ranks(values[some]).cpu())
        return loss

    def _moments(self, codes: Tensor, weight: Tensor) -> Tensor:
        """The moments after those of this step's codes (b, z), which have these weights (b,), have entered them."""
        kept = self.memory["moments"]
        kept.mul_(FADING).add_(_mean_of_ranks(moments_of(codes, weight)).cpu(), alpha=1 - FADING)
        return kept.to(codes)

    def _remember(self, codes: Tensor, values: Tensor) -> None:
        count = min(int(self.memory["count"]) + len(codes), COMPARED)
        for name, rows in (("codes", codes), ("values", values)):
            self.memory[name].copy_(torch.cat([rows, self.memory[name]])[:COMPARED])
        self.memory["count"].fill_(count)


def _mean_of_ranks(number: Tensor) -> Tensor:
    """The mean of a number over the ranks, so that the mean of the ranks' sums is the sum over all measures."""
    if not dist.is_initialized():
        return number
    total = number.clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def _of_ranks(rows: Tensor) -> Tensor:
    """The rows of all ranks, in the order of the ranks."""
    if not dist.is_initialized():
        return rows
    parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def make(setting: Setting) -> Contextual:
    sd = torch.from_numpy(standard(setting.values)[1].astype(np.float32))
    decodes = None if setting.measure is None else OwnDecodes(setting.measure, sd)
    return Contextual(setting.latent, setting.attributes, setting.beta, setting.gamma, setting.delta, decodes)
