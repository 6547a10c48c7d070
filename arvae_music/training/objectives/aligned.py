"""Aligned: a decoder that is given the attributes (conditional.py) is taught by its own decodes to obey them, and the
other dimensions are freed of them.

    conditional VAE + policy gradient + the flow's negative log-likelihood + invariance, as Weights say

AR-VAE (ar_vae.py) shapes the encoder; the decoder may ignore the attributes' dimensions, since the others tell the
same, and so it is where it is given the values. From START of the run on, each step also takes ASKED rows, moves one
attribute's code of each to another row's, the other attributes' to the nearest combination of values that there is
(combinations.py), keeps what flow.py says is free of the attributes, decodes SAMPLES times, and measures the decodes,
by the attributes' own functions, which are black boxes here as everywhere. The reward of a decode is

    - miss |realised - requested| - drift sum over others of |realised - gone along| - change share of entries changed

in sd, and the gradient that of its log-probability (Williams 1992) times the reward less the mean of all the row's
samples, over their sd (group-relative normalisation: Shao et al., "DeepSeekMath", 2024, GRPO). Attributes that are
missed by more weigh more, and are asked for more often: that is where the gradient is noise. Samples that hit are
encoded again: what they have in the free dimensions is to be what the row had (`invariance`).

beta falls from START to FINISH, to EASED of what it was: a decoder that is told little besides the codes learns to obey
them, and once it does, it may be told more. From FINISH on the encoder stays as it is. While it learns, the flow runs
behind it, and so does the decoder, which is asked to follow what the flow leaves: now both come up with it.

Shapes: b batch, z latent, k attributes, m rows that are asked, s samples of each.
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

START = 0.25  # of the run
FINISH = 0.7  # of the run
EASED = 0.25  # of beta, at last
ROWS = 1.25  # drawn a step, that values are asked from, for each of the batch
ASKED = 0.25  # of them, that an edit is asked of
SAMPLES = 8
HIT = 0.05  # sd
HITS = 0.375  # samples that are encoded again, for each row of the batch, at most
JUDGED = 2000  # rows that tell which dimensions are used
FORGOTTEN = 0.02  # a step, of the running errors
LEAST = 1e-6  # sd, of those


@dataclass(frozen=True)
class Weights:
    """Of the terms, and of what a decode's reward is made of. Chosen on validation tunes: benchmarks/ablation.py."""

    policy: float = 2.0
    flow: float = 1.0
    keep: float = 0.0  # it closes a leak where there is no flow, and beside one takes steps that teach more
    miss: float = 3.0  # per sd
    drift: float = 2.0  # per sd
    change: float = 1.5  # per whole row
    focus: float = 0.9  # share of the edits that are asked of attributes as they are missed; the others of all alike


class Asked(NamedTuple):
    """Edits to be made: rows, which attribute of each is moved, and to what."""

    rows: Tensor  # (m, ...)
    attribute: Ints  # (m,)
    wanted: Floats  # (m, k) what is asked for, and what goes along
    codes: Tensor  # (m, k) moved
    free: Tensor  # (m, z) what is kept: model.freed


class Answers(NamedTuple):
    """What was decoded of what was asked."""

    made: Tensor  # (m * s, ...)
    values: Floats  # (m * s, k)
    error: Floats  # (m * s,) sd
    missed: Floats  # (k,) mean error of each attribute, in sd; NaN of one that was not asked for


@dataclass(frozen=True, eq=False)
class Aligned(Objective):
    """`plain` is what is aligned: the conditional VAE, or AR-VAE, as benchmarks/ablation.py compares."""

    plain: ConditionalVae | ArVaeObjective
    measure: Measure
    combinations: Combinations
    coded: Codes
    sd: Floats  # (k,) of the training values
    weights: Weights = field(default_factory=Weights)
    start: float = START
    finish: float = FINISH  # 1: never
    eased: float = EASED
    noise: float = 0.0  # of the posterior's, that the flow is fitted with

    @cached_property
    def errors(self) -> Tensor:
        """(k,) running mean errors, in sd."""
        return torch.ones(self.k, dtype=torch.float64)

    @property
    def memory(self) -> Memory:
        return {"errors": self.errors}

    @property
    def phases(self) -> tuple[Phase, ...]:
        # without its own weight the flow would follow the policy alone
        return (*WHOLE, Phase(self.finish, ("decoder", "flow") if self.weights.flow else ("decoder",)))

    @property
    def carriage(self) -> Carriage:
        return self.plain.carriage

    def terms(self, step: Step) -> Terms:
        terms = replace(self.plain, beta=self.plain.beta * self.ease(step.progress)).terms(step)
        flow = step.model.flow
        if step.progress < self.start:
            # the flow's weights take part in every step: processes wait for the gradients of all
            idle = [0 * weight.sum() for weight in flow.parameters()] if flow is not None else []
            return Terms(sum(idle, terms.total), terms.parts)
        if flow is not None and not flow.narrowed:
            flow.narrow(self._signal_to_noise(step)[self.k :])
        fit = self.flow_loss(step.model, step.batch, step.outputs.posterior)
        asked = self._asked(step)
        terms = terms.plus("flow", self.weights.flow, fit)
        if asked is None:
            self._remember(np.full(self.k, np.nan), fit.device)
            return terms
        policy, answers = self._policy(step, asked)
        total = terms.total + self.weights.policy * policy  # whose value means nothing: the error is what is reported
        terms = Terms(total, {**terms.parts, "error": torch.tensor(np.nanmean(answers.missed))})
        if step.progress >= self.finish or self.weights.keep == 0:  # the encoder has learnt, or is not to learn it
            return terms
        return terms.plus("invariance", self.weights.keep, self._invariance(step, asked, answers))

    def ease(self, progress: float) -> float:
        """What of beta is left."""
        return float(self.eased ** np.interp(progress, (self.start, self.finish), (0.0, 1.0)))

    @property
    def k(self) -> int:
        return len(self.sd)

    @torch.no_grad()
    def _signal_to_noise(self, step: Step) -> Tensor:
        mean, log_variance = step.model.posterior(step.draw(JUDGED).inputs)
        return mean.var(dim=0) / log_variance.exp().mean(dim=0)

    def flow_loss(self, model: ArVae, batch: Batch, posterior: Posterior) -> Tensor:
        """Fitted to the encoder as it is: the encoder is not to please the flow. 0 where there is none."""
        mean, log_variance = (part.detach() for part in posterior)
        if model.flow is None:
            return mean.new_zeros(())
        z = mean + self.noise * torch.randn_like(mean) * (0.5 * log_variance).exp()
        codes, others = batch.codes if self.carriage == "given" else z[:, : self.k], z[:, self.k :]
        return model.flow.loss(others, model.conditions(codes, batch.inputs))

    # ------------------------------------------------------------------------ what is asked

    def _asked(self, step: Step) -> Asked | None:
        """Some rows of a fresh draw, each asked to have one attribute's value and code of another row of the same
        context; None where there are no such pairs."""
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
        return Asked(rows, which, wanted, moved, free)

    @torch.no_grad()
    def _slopes(self, step: Step, drawn: Batch) -> Tensor:
        """(k,) how far the codes that rows have move with those of their values."""
        own = step.model.posterior(drawn.inputs).mean[:, : self.k]
        known = self._codes(drawn.values.cpu().numpy(), own)
        centred = known - known.mean(0)
        return (own * centred).mean(0) / centred.square().mean(0).clamp(min=1e-6)

    def _codes(self, values: Floats, like: Tensor) -> Tensor:
        return torch.from_numpy(self.coded(values)).to(like)

    # ------------------------------------------------------------------------ what comes of it

    def _policy(self, step: Step, asked: Asked) -> tuple[Tensor, Answers]:
        """Its loss, and what it is of."""
        model, decoding, count = step.model, step.outputs.decoding, len(step.batch.inputs)
        entries = decoding.target.numel() / count
        beliefs = decoding.distribution.batch_shape.numel() / count  # the reconstruction is their mean
        z = model.bound(torch.cat([asked.codes, asked.free[:, self.k :]], dim=1), asked.rows)
        rows = asked.rows.repeat_interleave(SAMPLES, dim=0)
        made = model.sample(z.detach(), rows)
        changed = (made != rows).flatten(1).sum(dim=1).cpu().numpy() / entries
        values = np.asarray(self.measure(made.cpu().numpy()))
        error, drift = self._judged(asked, values)
        own = self.weights
        reward = -(own.miss * error + own.drift * drift + own.change * changed)
        attribute = np.repeat(asked.attribute, SAMPLES)
        missed = _means(error, attribute, self.k)
        weight = missed / np.nanmean(missed).clip(LEAST) / (self.k * self._shares())
        advantage = torch.from_numpy((_normalised(reward) * weight[attribute]).astype(np.float32)).to(z.device)
        policy = -(advantage * model.log_prob(z, made)).mean()
        self._remember(missed, z.device)
        return policy / beliefs, Answers(made, values, error, missed)

    def _shares(self) -> Floats:
        """(k,) of the edits, that are asked of each attribute."""
        errors: Floats = self.errors.numpy()
        found: Floats = self.weights.focus * errors / errors.sum() + (1 - self.weights.focus) / self.k
        return found

    def _remember(self, missed: Floats, device: torch.device) -> None:
        """(k,) this step's, NaN where an attribute was not asked for; the mean over the processes."""
        now = np.where(np.isnan(missed), self.errors.numpy(), missed)
        self.errors.lerp_(torch.from_numpy(now).clamp(min=LEAST), FORGOTTEN)
        if dist.is_initialized():
            shared = self.errors.to(device)
            dist.all_reduce(shared)
            self.errors.copy_(shared / dist.get_world_size())

    def _judged(self, asked: Asked, values: Floats) -> tuple[Floats, Floats]:
        """(m * s, k) values of the samples -> (m * s,) error and drift, in sd."""
        off = np.abs(values - np.repeat(asked.wanted, SAMPLES, axis=0)) / self.sd
        error = off[np.arange(len(off)), np.repeat(asked.attribute, SAMPLES)]
        return error, off.sum(axis=1) - error

    def _invariance(self, step: Step, asked: Asked, answers: Answers) -> Tensor:
        hits = np.flatnonzero(answers.error < HIT)[: round(HITS * len(step.batch.inputs))]
        if len(hits) == 0 or step.model.latent == self.k:
            return step.outputs.z.new_zeros(())
        rows, model = answers.made[hits], step.model
        mean = model.posterior(rows).mean
        codes = mean[:, : self.k].detach()
        if self.carriage == "given":
            codes = self._codes(answers.values[hits], mean)
        again = model.freed(torch.cat([codes, mean[:, self.k :]], dim=1), rows)
        return (again - asked.free[hits // SAMPLES])[:, self.k :].square().mean()


def make(setting: Setting) -> Aligned:
    if setting.measure is None:
        raise UsageError("the aligned objective measures what it decodes", remedy="give the Setting a `measure`")
    known = setting.combinations
    if known is None:
        known = Combinations(np.zeros(len(setting.values), dtype=np.int64), setting.values).thinned(MOST)
    known = known.take(range(setting.attributes))
    codes, sd = setting.codes or Codes.of(setting.values), standard(setting.values)[1]
    return Aligned(ConditionalVae(setting.beta), setting.measure, known, codes, sd)


def _groups(context: Array) -> Ints:
    """(n, c) one-hot contexts -> (n,) which it is."""
    found: Ints = context.argmax(axis=1) if context.shape[1] else np.zeros(len(context), dtype=np.int64)
    return found


def _pairs(group: Ints, random: np.random.Generator) -> tuple[Ints, Ints]:
    """(n,) groups -> rows in random order, and for each another row of the same group."""
    order = random.permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    after = np.arange(1, len(order) + 1)
    after[np.append(starts[1:], len(order)) - 1] = starts  # the last of a group is given the first
    pairs = np.stack([order, order[after]])[:, after != np.arange(len(order))]
    mixed = random.permutation(pairs.shape[1])
    return pairs[0, mixed], pairs[1, mixed]


def _normalised(reward: Floats) -> Floats:
    """(m * s,) -> less the mean of a row's samples, over their sd."""
    rows = reward.reshape(-1, SAMPLES)
    centred = rows - rows.mean(axis=1, keepdims=True)
    found: Floats = (centred / (rows.std(axis=1, keepdims=True) + 0.01)).reshape(-1)
    return found


def _means(error: Floats, attribute: Ints, k: int) -> Floats:
    """(m * s,) errors and attributes -> (k,) each attribute's mean error; NaN of one that was not asked for."""
    count = np.bincount(attribute, minlength=k)
    found: Floats = np.where(count, np.bincount(attribute, weights=error, minlength=k) / np.maximum(count, 1), np.nan)
    return found
