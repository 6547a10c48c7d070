"""Aligned: train a conditional decoder (conditional.py) on its own decodes to follow the codes of the attributes, and
make the other dimensions independent of the attributes with a flow (vae/flow.py).

    loss = conditional VAE + policy gradient + negative log-likelihood of the flow + invariance (see Weights)

Whether the attributes shape the encoder (ar_vae.py) or are given to the decoder, the decoder may ignore their codes,
because the other dimensions contain the same information. Therefore each step, from START of the run on, also makes
edits of randomly drawn rows. An edit moves the code of one attribute of a row to the value of another row, and the
codes of the other attributes to the nearest combination of values (vae/combinations.py). It keeps u, the representation
of the other dimensions in which the flow has removed the attributes. The objective then draws SAMPLES decodes of the
edit, and measures their attributes with black-box functions. The reward of a decode, in sd, is

    - miss |realised - requested| - drift sum over other attributes |realised - expected| - change share of changed
    entries

where the expected value is the one in the combination. The gradient is that of the decode's log-probability (Williams
1992) times its advantage: the reward, minus the mean over the samples of the edit, divided by their sd (group-relative
normalisation: GRPO, Shao et al., "DeepSeekMath", 2024). Attributes with larger errors get more weight and more edits.
With a weight for `keep`, samples that hit are encoded again, and their u should equal that of the row (`invariance`).

beta falls from START to FINISH to EASED of its first value. At first the other dimensions contain little information,
so that the decoder learns to follow the codes; later they may contain more. From FINISH on the encoder is frozen: until
then it keeps changing, and the flow and the decoder lag behind it.

Shapes: b batch, z latent, k attributes, m edited rows, s samples of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from ...arrays import Array, Floats, Ints
from ...errors import UsageError
from ...vae.combinations import MOST, Combinations
from ...vae.examples import standard
from ...vae.model import ArVae, Posterior
from ...vae.normal_scores import Codes
from .ar_vae import ArVaeObjective
from .conditional import ConditionalVae
from .entries import Carriage
from .objective import WHOLE, Batch, Measure, Memory, Objective, Phase, Setting, Step, Terms

# Runs record these constants by their names (objectives.constants).
START = 0.25  # share of the run at which edits begin
FINISH = 0.7  # share of the run at which the encoder is frozen
EASED = 0.25  # share of beta that is left at FINISH
ROWS = 1.25  # rows drawn in a step for edits, per row of the batch
ASKED = 0.25  # share of these rows that are edited; the others only lend their values
SAMPLES = 8  # decodes of each edit
HIT = 0.05  # sd by which a decode may miss a request that counts as met
HITS = 0.375  # the most samples that are encoded again, per row of the batch
JUDGED = 2000  # rows from which the dimensions that the model uses are determined
FORGOTTEN = 0.02  # share of the running errors that each step replaces
LEAST = 1e-6  # the smallest running error, in sd


@dataclass(frozen=True)
class Weights:
    """Weights of the terms of the loss and of the parts of the reward, chosen on validation tunes
    (benchmarks/ablation.py).
    """

    policy: float = 2.0
    flow: float = 1.0
    keep: float = 0.0  # of the invariance; it reduces leakage without a flow, and does not pay with one
    miss: float = 3.0  # per sd of the requested attribute
    drift: float = 2.0  # per sd of the other attributes
    change: float = 1.5  # for a row in which every entry changed
    focus: float = 0.9  # share of the edits that go to attributes by their errors; the rest goes to all equally


class Edits(NamedTuple):
    """Edits of m rows."""

    rows: Tensor  # (m, ...)
    attribute: Ints  # (m,) the number of the requested attribute
    wanted: Floats  # (m, k) the requested value, and the expected values of the other attributes
    codes: Tensor  # (m, k) the codes of the wanted values
    free: Tensor  # (m, z) ArVae.freed of the rows, whose dimensions from k on are kept


class Decodes(NamedTuple):
    """The decodes of edits, s samples of each."""

    made: Tensor  # (m * s, ...)
    values: Floats  # (m * s, k) measured attributes
    error: Floats  # (m * s,) |realised - requested| in sd
    missed: Floats  # (k,) mean error of each attribute in sd, NaN for one without an edit


@dataclass(frozen=True, eq=False)
class Aligned(Objective):
    """`plain` is the objective that is extended: the conditional VAE, or AR-VAE in benchmarks/ablation.py."""

    plain: ConditionalVae | ArVaeObjective
    measure: Measure
    combinations: Combinations
    coded: Codes
    sd: Floats  # (k,) standard deviations of the training values
    weights: Weights = field(default_factory=Weights)
    start: float = START
    finish: float = FINISH  # 1 never freezes the encoder
    eased: float = EASED
    noise: float = 0.0  # share of the posterior's noise in the points that the flow is fitted to

    @cached_property
    def errors(self) -> Tensor:
        """(k,) running means of the attributes' errors, in sd."""
        return torch.ones(self.k, dtype=torch.float64)

    @property
    def memory(self) -> Memory:
        return {"errors": self.errors}

    @property
    def phases(self) -> tuple[Phase, ...]:
        # Without its own loss the flow is frozen too: the policy gradient alone would distort it.
        return (*WHOLE, Phase(self.finish, ("decoder", "flow") if self.weights.flow else ("decoder",)))

    @property
    def carriage(self) -> Carriage:
        return self.plain.carriage

    def terms(self, step: Step) -> Terms:
        terms = replace(self.plain, beta=self.plain.beta * self.ease(step.progress)).terms(step)
        flow = step.model.flow
        if step.progress < self.start:
            # The flow's weights must be part of every loss: with several ranks, each gradient is waited for.
            idle = [0 * weight.sum() for weight in flow.parameters()] if flow is not None else []
            return Terms(sum(idle, terms.total), terms.parts)
        if flow is not None and not flow.narrowed:
            flow.narrow(self._signal_to_noise(step)[self.k :])
        fit = self.flow_loss(step.model, step.batch, step.outputs.posterior)
        edits = self._draw_edits(step)
        terms = terms.plus("flow", self.weights.flow, fit)
        if edits is None:
            self._update_errors(np.full(self.k, np.nan), fit.device)
            return terms
        policy, decodes = self._policy(step, edits)
        total = terms.total + self.weights.policy * policy  # its value means nothing, so the mean error is reported
        terms = Terms(total, {**terms.parts, "error": torch.tensor(np.nanmean(decodes.missed))})
        if step.progress >= self.finish or self.weights.keep == 0:  # the encoder is frozen, or the term unused
            return terms
        return terms.plus("invariance", self.weights.keep, self._invariance(step, edits, decodes))

    def ease(self, progress: float) -> float:
        """The share of beta that is left at `progress`."""
        return float(self.eased ** np.interp(progress, (self.start, self.finish), (0.0, 1.0)))

    @property
    def k(self) -> int:
        return len(self.sd)

    @torch.no_grad()
    def _signal_to_noise(self, step: Step) -> Tensor:
        mean, log_variance = step.model.posterior(step.draw(JUDGED).inputs)
        return mean.var(dim=0) / log_variance.exp().mean(dim=0)

    def flow_loss(self, model: ArVae, batch: Batch, posterior: Posterior) -> Tensor:
        """The negative log-likelihood of the flow, 0 without one. It does not train the encoder."""
        mean, log_variance = (part.detach() for part in posterior)
        if model.flow is None:
            return mean.new_zeros(())
        z = mean + self.noise * torch.randn_like(mean) * (0.5 * log_variance).exp()
        codes, others = batch.codes if self.carriage == "given" else z[:, : self.k], z[:, self.k :]
        return model.flow.loss(others, model.conditions(codes, batch.inputs))

    # ------------------------------------------------------------------------ edits

    def _draw_edits(self, step: Step) -> Edits | None:
        """Edits of newly drawn rows, each of which requests the value that an attribute has in another row of the same
        context. None if no two rows have the same context."""
        count, model = len(step.batch.inputs), step.model
        drawn = step.draw(max(round(ROWS * count), 2))
        random = np.random.default_rng(int(torch.randint(2**31, ())))
        groups, values = _groups(model.context(drawn.inputs).cpu().numpy()), drawn.values.cpu().numpy().astype(float)
        at, donor = (each[: max(round(ASKED * ROWS * count), 1)] for each in _pairs(groups, random))
        if len(at) == 0:
            return None
        which = random.choice(self.k, len(at), p=self._shares())
        wanted = np.full((len(at), self.k), np.nan)
        wanted[np.arange(len(at)), which] = values[donor, which]
        wanted = self.combinations.nearest(values[at], wanted, self.sd, groups[at])
        rows = drawn.inputs[at]
        mean = model.posterior(rows).mean
        codes, moved = self._codes(values[at], mean), self._codes(wanted, mean)
        if self.carriage == "trained":
            steps = self._slopes(step, drawn) * (moved - codes)
            codes = mean[:, : self.k].detach()
            moved = codes + steps
        free = model.freed(torch.cat([codes, mean[:, self.k :]], dim=1), rows)
        return Edits(rows, which, wanted, moved, free)

    @torch.no_grad()
    def _slopes(self, step: Step, drawn: Batch) -> Tensor:
        """(k,) slopes of the regression of the encoder's codes on the codes of the values."""
        own = step.model.posterior(drawn.inputs).mean[:, : self.k]
        known = self._codes(drawn.values.cpu().numpy(), own)
        centred = known - known.mean(0)
        return (own * centred).mean(0) / centred.square().mean(0).clamp(min=1e-6)

    def _codes(self, values: Floats, like: Tensor) -> Tensor:
        return torch.from_numpy(self.coded(values)).to(like)

    # ------------------------------------------------------------------------ rewards

    def _policy(self, step: Step, edits: Edits) -> tuple[Tensor, Decodes]:
        """The loss of the policy gradient, and the decodes that it is computed from."""
        model, decoding, count = step.model, step.outputs.decoding, len(step.batch.inputs)
        entries = decoding.target.numel() / count
        beliefs = decoding.distribution.batch_shape.numel() / count  # the reconstruction is their mean
        z = model.bound(torch.cat([edits.codes, edits.free[:, self.k :]], dim=1), edits.rows)
        rows = edits.rows.repeat_interleave(SAMPLES, dim=0)
        made = model.sample(z.detach(), rows)
        changed = (made != rows).flatten(1).sum(dim=1).cpu().numpy() / entries
        values = np.asarray(self.measure(made.cpu().numpy()))
        error, drift = self._errors(edits, values)
        own = self.weights
        reward = -(own.miss * error + own.drift * drift + own.change * changed)
        attribute = np.repeat(edits.attribute, SAMPLES)
        missed = _means(error, attribute, self.k)
        weight = missed / np.nanmean(missed).clip(LEAST) / (self.k * self._shares())
        advantage = torch.from_numpy((_normalised(reward) * weight[attribute]).astype(np.float32)).to(z.device)
        policy = -(advantage * model.log_prob(z, made)).mean()
        self._update_errors(missed, z.device)
        return policy / beliefs, Decodes(made, values, error, missed)

    def _shares(self) -> Floats:
        """(k,) the shares of the attributes in the edits."""
        errors: Floats = self.errors.numpy()
        found: Floats = self.weights.focus * errors / errors.sum() + (1 - self.weights.focus) / self.k
        return found

    def _update_errors(self, missed: Floats, device: torch.device) -> None:
        """Update the running errors with the (k,) errors of this step, NaN for attributes without an edit, and average
        them over the ranks."""
        now = np.where(np.isnan(missed), self.errors.numpy(), missed)
        self.errors.lerp_(torch.from_numpy(now).clamp(min=LEAST), FORGOTTEN)
        if dist.is_initialized():
            shared = self.errors.to(device)
            dist.all_reduce(shared)
            self.errors.copy_(shared / dist.get_world_size())

    def _errors(self, edits: Edits, values: Floats) -> tuple[Floats, Floats]:
        """(m * s, k) values of the samples -> their (m * s,) error and drift, in sd."""
        off = np.abs(values - np.repeat(edits.wanted, SAMPLES, axis=0)) / self.sd
        error = off[np.arange(len(off)), np.repeat(edits.attribute, SAMPLES)]
        return error, off.sum(axis=1) - error

    def _invariance(self, step: Step, edits: Edits, decodes: Decodes) -> Tensor:
        """The mean square by which encoding the samples that hit changes the dimensions that the edit kept."""
        hits = np.flatnonzero(decodes.error < HIT)[: round(HITS * len(step.batch.inputs))]
        if len(hits) == 0 or step.model.latent == self.k:
            return torch.zeros((), device=edits.codes.device)
        rows, model = decodes.made[hits], step.model
        mean = model.posterior(rows).mean
        codes = mean[:, : self.k].detach()
        if self.carriage == "given":
            codes = self._codes(decodes.values[hits], mean)
        again = model.freed(torch.cat([codes, mean[:, self.k :]], dim=1), rows)
        return (again - edits.free[hits // SAMPLES])[:, self.k :].square().mean()


def make(setting: Setting) -> Aligned:
    if setting.measure is None:
        raise UsageError("the aligned objective measures decoded rows", remedy="give the Setting a `measure`")
    known = setting.combinations
    if known is None:
        known = Combinations(np.zeros(len(setting.values), dtype=np.int64), setting.values).thinned(MOST)
    known = known.take(range(setting.attributes))
    codes, sd = setting.codes or Codes.of(setting.values), standard(setting.values)[1]
    return Aligned(ConditionalVae(setting.beta), setting.measure, known, codes, sd)


def _groups(context: Array) -> Ints:
    """(n, c) one-hot contexts -> (n,) numbers of the contexts."""
    found: Ints = context.argmax(axis=1) if context.shape[1] else np.zeros(len(context), dtype=np.int64)
    return found


def _pairs(group: Ints, random: np.random.Generator) -> tuple[Ints, Ints]:
    """(n,) groups -> the numbers of rows in random order, and for each that of another row of the same group."""
    order = random.permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    after = np.arange(1, len(order) + 1)
    after[np.append(starts[1:], len(order)) - 1] = starts  # the partner of a group's last row is its first
    pairs = np.stack([order, order[after]])[:, after != np.arange(len(order))]
    mixed = random.permutation(pairs.shape[1])
    return pairs[0, mixed], pairs[1, mixed]


def _normalised(reward: Floats) -> Floats:
    """(m * s,) rewards -> the same minus the mean over the samples of an edit, divided by their sd."""
    rows = reward.reshape(-1, SAMPLES)
    centred = rows - rows.mean(axis=1, keepdims=True)
    found: Floats = (centred / (rows.std(axis=1, keepdims=True) + 0.01)).reshape(-1)
    return found


def _means(error: Floats, attribute: Ints, k: int) -> Floats:
    """(m * s,) errors and attributes -> (k,) each attribute's mean error, NaN for one without an edit."""
    count = np.bincount(attribute, minlength=k)
    found: Floats = np.where(count, np.bincount(attribute, weights=error, minlength=k) / np.maximum(count, 1), np.nan)
    return found
