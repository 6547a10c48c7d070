"""The second stage of a model in context: its decoder learns from its own decodes that have requested attributes.

For some measures of a step, the code of one attribute is exchanged for that of another measure of the same meter, and
the codes of strongly correlated attributes move along. The model decodes each of these points a few times, from the
attributes alone or from all of z. Attributes are then MEASURED on the decodes, as black boxes. The best decode of each
measure is a target of the decoder if it has the requested value, and with less weight if it only comes nearer than
the others. Decodes of all of z should also be encoded to the same other dimensions as the original: what differs
between the two is the attribute's to tell.

How codes move along, and how far the other dimensions usually lie apart, follows from moments of the codes of many
steps, because one step has measures of few tunes.

Shapes: n measures, d decodes of each, k attributes, z latent, t ticks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...networks.contextual import Context, ContextualArVae, Given, Passed, nats
from .objective import Measure

ROWS = 160  # measures of a step
DECODES = 4
FREE = 0.6  # share of the measures that are decoded from attributes alone
SHOWN = 0.25  # the probability that an attribute is given beside the requested one
HOT = (0.8, 0.9, 1.0, 1.0)  # temperatures of decodes from attributes alone
COOL = (0.0, 0.5, 0.8, 1.0)  # of decodes from all of z
STRONG = 0.5  # codes with at least this correlation move along
HIT = 0.13  # sd: a decode has the requested value if it is no further from it
NEARER = 0.3  # the weight of a best decode that is no hit
DRIFT = 0.3  # of a decode's cost, per sd by which another attribute moves; the request costs 2 per sd
STIFF = 1.5  # the weight of the other dimensions' movement
LEAST = 0.05  # the least sd of a dimension
FADING = 0.995  # what is left of the moments after a step


@dataclass(frozen=True, eq=False)
class OwnDecodes:
    measure: Measure  # packed rows (n, 1 + t) -> (n, k)
    sd: Tensor  # (k,) standard deviations of the training values

    def loss(self, model: ContextualArVae, passed: Passed, inputs: Tensor, values: Tensor, moments: Tensor) -> Tensor:
        """The loss on some of the b measures that `model` has passed: `inputs` (b, 1 + t) packed, values (b, k). Rows
        whose meter code is 0 are not there. `moments` (1 + z, 1 + z) are those of the codes of earlier measures."""
        codes, k = inputs[:, 0], values.shape[1]
        at = self._drawn(codes)
        if not len(at):
            return passed.nats.new_zeros(())
        other = _partners(codes, at)
        mean = passed.posterior.mean.detach()
        which = torch.randint(k, (len(at),), device=at.device)
        every = torch.arange(len(at), device=at.device)
        along = correlated(moments, k)
        step = mean.new_zeros(len(at), k)
        step[every, which] = mean[other, which] - mean[at, which]
        z = mean[at].clone()
        z[:, :k] += step + step @ along
        free = torch.rand(len(at), 1, device=at.device) < FREE
        given = _given(free, which, k)
        seen = given.seen(z)
        own = Context(*(part[at].detach() for part in passed.context))
        heat = torch.where(free, torch.tensor(HOT, device=at.device), torch.tensor(COOL, device=at.device))
        decoded = self._decoded(model, seen, own, heat.flatten()[:, None])
        rows = inputs[at, 1:]
        error, cost = self._costs(decoded, codes[at], rows, values[at], values[other], which, along, given, free)
        best = every * DECODES + cost.reshape(-1, DECODES).argmin(dim=1)
        hit = error[best] <= HIT
        nearer = error.reshape(-1, DECODES).amax(dim=1) - error[best] > 1e-6
        target, weight = decoded[best], hit.float() + NEARER * (nearer & ~hit).float()
        learned = (nats(model.decoder(seen, own, target), target) * weight).sum() / len(at)
        again = model.posterior(model.summary(target, own.codes), own).mean[:, k:]
        spread = spread_of(moments)[k:]
        moved = ((again - passed.posterior.mean[at][:, k:]) / spread).square().sum(dim=1) / max(again.shape[1], 1)
        return learned + STIFF * (moved * (hit & ~free[:, 0]).float()).sum() / len(at)

    def _drawn(self, codes: Tensor) -> Tensor:
        there = codes.nonzero()[:, 0]
        return there[torch.randperm(len(there), device=codes.device)[:ROWS]]

    def _decoded(self, model: ContextualArVae, seen: Tensor, own: Context, temperature: Tensor) -> Tensor:
        """(n, ...) -> (n * d, t)"""
        training = model.training
        model.eval()
        decoded = model.decoder.free(seen, own, temperature, DECODES)
        model.train(training)
        return decoded

    def _costs(
        self,
        decoded: Tensor,
        codes: Tensor,
        rows: Tensor,
        now: Tensor,
        wanted: Tensor,
        which: Tensor,
        along: Tensor,
        given: Given,
        free: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """(n * d,) twice: by how many sd each decode misses the request, and its cost."""

        def each(one: Tensor) -> Tensor:
            return one.repeat_interleave(DECODES, 0)

        packed = torch.cat([each(codes)[:, None], decoded], dim=1).to(torch.int16).cpu().numpy()
        found = torch.from_numpy(self.measure(packed)).to(now)
        sd, index = self.sd.to(now), each(which)[:, None]
        error = ((found - each(wanted)).abs() / sd).gather(1, index)[:, 0]
        others = ((along == 0).to(now)[index[:, 0]] * each(given.attributes)).scatter(1, index, 0.0)
        drift = ((found - each(now)).abs() / sd * others).sum(dim=1)
        changed = (decoded != each(rows)).to(now).mean(dim=1)
        loose = 0.05 * torch.rand(len(error), device=now.device)  # decodes from attributes alone differ anyway
        return error, 2 * error + DRIFT * drift + torch.where(each(free)[:, 0], loose, changed)


def moments_of(codes: Tensor, weight: Tensor) -> Tensor:
    """(m, z) codes with weights (m,) -> (1 + z, 1 + z): sums of the products of their columns and a column of ones."""
    columns = torch.cat([torch.ones_like(codes[:, :1]), codes], dim=1)
    return columns.t() @ (columns * weight[:, None])


def correlated(moments: Tensor, attributes: int) -> Tensor:
    """(k, k): how far each other attribute's code moves, per step of one, where they correlate strongly; 0 else."""
    mean, products = _unfaded(moments)
    mean, products, sd = mean[:attributes], products[:attributes, :attributes], spread_of(moments)[:attributes]
    rho = (products - mean * mean[:, None]) / (sd * sd[:, None])
    slopes = torch.where(rho.abs() >= STRONG, rho, 0.0) * sd / sd[:, None]
    return slopes - torch.diag(slopes.diagonal())


def spread_of(moments: Tensor) -> Tensor:
    """(z,) the standard deviations of the codes, none smaller than LEAST."""
    mean, products = _unfaded(moments)
    return (products.diagonal() - mean.square()).clamp(min=LEAST**2).sqrt()


def _unfaded(moments: Tensor) -> tuple[Tensor, Tensor]:
    """(z,) means and (z, z) mean products. Fading moments are all too small by one factor, the first of them."""
    moments = moments / moments[0, 0]
    return moments[0, 1:], moments[1:, 1:]


def _partners(codes: Tensor, at: Tensor) -> Tensor:
    """For each of the measures `at`, a random one of the same meter."""
    other = at.clone()
    for code in set(codes[at].tolist()):
        same, mine = (codes == code).nonzero()[:, 0], (codes[at] == code).nonzero()[:, 0]
        other[mine] = same[torch.randint(len(same), (len(mine),), device=codes.device)]
    return other


def _given(free: Tensor, which: Tensor, k: int) -> Given:
    """Attributes alone where `free` (n, 1), always the requested one `which` (n,); otherwise all of z, or a sketch."""
    count = len(which)
    shown = (torch.rand(count, k, device=which.device) < SHOWN).float()
    shown[torch.arange(count, device=which.device), which] = 1.0
    whole = torch.rand(count, 1, device=which.device) < 0.5
    level = torch.where(whole, 1.0, torch.rand(count, 1, device=which.device) * 0.8 + 0.2)
    return Given(torch.where(free, shown, 1.0), torch.where(free, 0.0, level))
