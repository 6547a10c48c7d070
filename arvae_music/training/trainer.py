"""Training: yields reports, saves nothing, knows no terminal.

    trainer = Trainer(model, train, valid, TrainingOptions(epochs=20), compare=accuracy)
    for report in trainer.run():
        ...                                   # trainer.stop() ends it cleanly after the current step

Everything random in a step is drawn from one seed per step, (seed, step, rank), and an epoch's order from
(seed, epoch): so a run that is resumed from `state` goes on as if it had never stopped, and the same seed
gives the same weights. The one exception is `minutes`: a schedule that follows the clock follows the machine.

What is minimised is an Objective (objectives/objective.py): AR-VAE's unless another is given. A critic that it has is
trained in the same step, after the model. In each of its phases the learning rate rises, and falls by a cosine.

Under torchrun the batch is shared out over the ranks: `batch` is the whole, on every number of ranks. Gradients are
averaged by DistributedDataParallel, and the attribute loss compares rows across ranks (losses.attribute_loss).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..arrays import Array, Float32s
from ..errors import TrainingError, UsageError
from ..system.machine import seed_all
from ..vae.combinations import Combinations
from ..vae.examples import Examples, spread
from ..vae.model import ArVae, Outputs
from ..vae.normal_scores import Codes
from . import objectives, optimizer_state
from .objectives.objective import PARTS, Batch, Critic, Measure, Objective, Phase, Setting, Step, Terms

Compare = Callable[[Tensor, Tensor], dict[str, float]]
# (b, ...) inputs and (b, k) values -> both with some first rows made up, and how many those are
Augment = Callable[[Array, Float32s, np.random.Generator], tuple[Array, Float32s, int]]
WARM_UP = 0.02  # share of a phase over which the learning rate rises
FLOOR = 0.01  # share of the learning rate at the end of a phase's cosine


@dataclass(frozen=True)
class TrainingOptions:
    # how long: the first to be reached ends the run
    epochs: int = 100
    minutes: float | None = None
    # the objective (objectives/): Pati & Lerch (2020), their values for music
    objective: str = objectives.DEFAULT
    beta: float = 1e-3
    gamma: float = 1.0
    delta: float = 10.0
    # optimisation
    batch: int = 256
    learning_rate: float = 2e-3
    clip: float = 1.0  # largest norm of the gradient
    seed: int = 0
    # reports
    report_steps: int = 20
    valid_steps: int = 200  # between two judgements on held-out pieces
    valid_rows: int = 1024  # at most so many of them

    def __post_init__(self) -> None:
        counts = ("epochs", "batch", "report_steps", "valid_steps", "valid_rows")
        wrong = [name for name in counts if getattr(self, name) < 1]
        wrong += [name for name in ("beta", "gamma", "seed") if not getattr(self, name) >= 0]  # NaN is out of range too
        wrong += [name for name in ("delta", "learning_rate", "clip") if not getattr(self, name) > 0]
        if self.minutes is not None and not self.minutes > 0:
            wrong.append("minutes")
        if wrong:
            raise UsageError(f"{', '.join(wrong)}: out of range", remedy="see arvae train --help for the defaults")

        objectives.entry(self.objective)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def setting(
        self,
        latent: int,
        train: Examples,
        measure: Measure | None = None,
        combinations: Combinations | None = None,
    ) -> Setting:
        """What `objectives.make` makes the objective from."""
        codes, weights = Codes.of_examples(train), (self.beta, self.gamma, self.delta)
        return Setting(latent, train.attributes, *weights, self.seed, measure, codes, combinations)


@dataclass(frozen=True)
class Report:
    """Means since the last report; `valid` only where held-out pieces were just judged."""

    step: int
    epoch: float
    progress: float  # 0 .. 1
    seconds: float  # spent training, earlier sessions of a resumed run counted in
    remaining: float  # seconds expected
    rate: float  # examples a second
    learning_rate: float
    loss: float
    parts: dict[str, float]  # of the loss, before their weights
    valid: dict[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Trainer:
    """One training run. Attribute k of the examples is carried by latent dimension k, if the objective has any carried
    (objectives.Carriage)."""

    def __init__(
        self,
        model: ArVae,
        train: Examples,
        valid: Examples,
        options: TrainingOptions,
        compare: Compare,
        augment: Augment | None = None,
        objective: Objective | None = None,
    ) -> None:
        """`objective`: the options' own, where None."""
        self.model = model
        self.augment = augment
        self.options = options
        self.compare = compare
        self.device = next(model.parameters()).device
        self.ranks = dist.get_world_size() if dist.is_initialized() else 1
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.share = options.batch // self.ranks
        if not 0 < self.share * self.ranks <= len(train):
            raise UsageError(
                f"a batch of {options.batch} over {self.ranks} processes does not fit {len(train)} examples",
                remedy="give batch=...",
            )
        room_for(train.attributes.shape[1], model.latent)
        self.inputs = train.inputs
        self.values = train.attributes
        self._epoch = (-1, np.zeros(0, dtype=np.int64))  # number, and order of the examples
        self.codes = Codes.of_examples(train)
        judged = spread(len(valid), options.valid_rows)
        self.valid_inputs = torch.from_numpy(valid.inputs[judged]).to(self.device)
        self.valid_codes = torch.from_numpy(self.codes(valid.attributes[judged])).to(self.device)
        self.objective = objective or objectives.make(options.objective, options.setting(model.latent, train))
        self.critic = _Adversary(self.objective.critic, self.device) if self.objective.critic else None
        self.optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate, fused=True)
        self.parallel: nn.Module = model
        self._phase: Phase | None = None  # that the model is in
        self.step = 0
        self.seconds = 0.0
        self._stopping = False

    @property
    def steps_per_epoch(self) -> int:
        return len(self.inputs) // (self.share * self.ranks)

    @property
    def progress(self) -> float:
        by_steps = self.step / (self.options.epochs * self.steps_per_epoch)
        by_clock = self.seconds / (60 * self.options.minutes) if self.options.minutes else 0.0
        return min(1.0, max(by_steps, by_clock))

    def stop(self) -> None:
        """End `run` after the current step."""
        self._stopping = True

    def run(self) -> Iterator[Report]:
        """Train until the options' end, or `stop`. Raises TrainingError on a loss that is not finite."""
        options, window = self.options, _Window()
        while self._furthest(1.0 if self._stopping else self.progress) < 1.0:
            started = time.perf_counter()
            window.add(self._one_step())
            self.seconds += time.perf_counter() - started
            last = self.progress >= 1.0 or self._stopping
            judge = last or self.step % options.valid_steps == 0
            if judge or self.step % options.report_steps == 0:
                yield self._report(window, self.judge() if judge else None)
                window = _Window()

    def judge(self) -> dict[str, float]:
        """`compare` on held-out pieces: free-running decode from the posterior mean."""
        self.model.eval()
        inputs, codes = torch.split(self.valid_inputs, 1024), torch.split(self.valid_codes, 1024)
        parts = [self.model.reconstruct(rows, self._given(own)) for rows, own in zip(inputs, codes, strict=True)]
        return self.compare(self.valid_inputs, torch.cat(parts))

    def _one_step(self) -> Terms:
        done = self._furthest(self.progress)
        self._enter(self._phase_at(done)[0])
        rate = self._learning_rate(done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = self.batch()
        seed_all(self.options.seed, self.step, self.rank)
        self.model.train()
        outputs: Outputs = self.parallel(batch.inputs, batch.made_up, self._given(batch.codes))
        step = Step(self.model, batch, outputs, done, self._drawing())
        terms = self.objective.terms(step)
        if not math.isfinite(float(terms.total.detach())):
            raise TrainingError(f"the loss is {float(terms.total.detach())} at step {self.step}")
        self.optimizer.zero_grad(set_to_none=True)
        terms.total.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        if not math.isfinite(float(norm)):  # the step would ruin the weights, and a checkpoint might be due
            raise TrainingError(f"the gradient's norm is {float(norm)} at step {self.step}")
        self.optimizer.step()
        if self.critic is not None:
            loss = self.critic.move(step, self.ranks)
            terms = Terms(terms.total, {**terms.parts, "critic": loss})
        self.step += 1
        return terms

    def _phase_at(self, done: float) -> tuple[Phase, float]:
        """The phase, and how far into it, 0 .. 1."""
        phases = [phase for phase in self.objective.phases if phase.start < 1.0]  # one at the end has no steps
        number = max(i for i, phase in enumerate(phases) if phase.start <= done)
        end = phases[number + 1].start if number + 1 < len(phases) else 1.0
        return phases[number], (done - phases[number].start) / (end - phases[number].start)

    def _enter(self, phase: Phase) -> None:
        """Let what learns in it learn, and nothing else."""
        if phase == self._phase:
            return
        parts = dict(self.model.named_children())
        _check(self.objective.phases, parts)
        self._phase = phase
        for name, part in parts.items():
            part.requires_grad_(name in phase.learns)
        # which gradients are shared is settled when it is made
        self.parallel = DistributedDataParallel(self.model) if self.ranks > 1 else self.model

    def _learning_rate(self, of_run: float) -> float:
        done = self._phase_at(of_run)[1]
        warm = min(1.0, (done + 1e-4) / WARM_UP)
        return self.options.learning_rate * warm * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done)))

    def batch(self) -> Batch:
        """This rank's part of this step's batch."""
        epoch, at = divmod(self.step, self.steps_per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = epoch, np.random.default_rng([self.options.seed, epoch]).permutation(len(self.inputs))
        first = (at * self.ranks + self.rank) * self.share
        rows = self._epoch[1][first : first + self.share]
        inputs, values, made_up = self.inputs[rows], self.values[rows], 0
        random = np.random.default_rng([self.options.seed, self.step, self.rank])
        if self.augment is not None:
            inputs, values, made_up = self.augment(inputs, values, random)
        return self._on_device(inputs, values, made_up, random)

    def _drawing(self) -> Callable[[int], Batch]:
        """What draws further rows in this step."""
        random = np.random.default_rng([self.options.seed, self.step, self.rank, 1])

        def draw(count: int) -> Batch:
            rows = random.integers(0, len(self.inputs), count)
            return self._on_device(self.inputs[rows], self.values[rows], 0, random)

        return draw

    def _on_device(
        self, inputs: Array, values: Float32s, made_up: int, random: np.random.Generator
    ) -> Batch:
        arrays = (inputs, values, self.codes.drawn(values, random))
        rows, raw, codes = (torch.from_numpy(array).to(self.device) for array in arrays)
        return Batch(rows, raw, codes, made_up)

    def _given(self, codes: Tensor) -> Tensor | None:
        return codes if self.objective.carriage == "given" else None

    def _furthest(self, done: float) -> float:
        """How far the rank is that is furthest: one that went on alone, or into another phase, would wait for ever."""
        if self.ranks == 1:
            return done
        furthest = torch.tensor(done, dtype=torch.float64, device=self.device)
        dist.all_reduce(furthest, dist.ReduceOp.MAX)
        return float(furthest)

    def _report(self, window: _Window, valid: dict[str, float] | None) -> Report:
        done, means = self.progress, window.means()
        loss = means.pop("total")
        return Report(
            step=self.step,
            epoch=self.step / self.steps_per_epoch,
            progress=done,
            seconds=self.seconds,
            remaining=self.seconds * (1 - done) / max(done, 1e-9),
            rate=self.share * self.ranks * self.step / max(self.seconds, 1e-9),
            learning_rate=self._learning_rate(done),
            loss=loss,
            parts=means,
            valid=valid,
        )

    # ------------------------------------------------------------------------------ resuming

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs besides the same model, data and options: flat, for safetensors."""
        state = optimizer_state.state_of("model", "adam", self.model, self.optimizer)
        if self.critic is not None:
            state |= optimizer_state.state_of("critic", "critic_adam", self.critic.module, self.critic.optimizer)
        state |= {f"memory.{name}": value for name, value in self.objective.memory.items()}
        clock = torch.tensor([float(self.step), self.seconds], dtype=torch.float64)
        return {**{name: value.detach().cpu().contiguous() for name, value in state.items()}, "clock": clock}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on where `state` was taken. Raises TrainingError where it is another model's."""
        try:
            optimizer_state.restore(state, "model", "adam", self.model, self.optimizer)
            if self.critic is not None:
                optimizer_state.restore(state, "critic", "critic_adam", self.critic.module, self.critic.optimizer)
            for name, value in self.objective.memory.items():
                value.copy_(state[f"memory.{name}"])
            self.step, self.seconds = int(state["clock"][0]), float(state["clock"][1])
        except (KeyError, RuntimeError) as error:
            raise TrainingError(
                f"the saved state does not fit this run ({str(error).splitlines()[0]})",
                remedy="resume with the options that it was started with, or start anew with overwrite=True",
            ) from error


class _Adversary:
    """A critic with its optimiser."""

    def __init__(self, critic: Critic, device: torch.device) -> None:
        self.module, self.loss = critic.module.to(device), critic.loss
        self.optimizer = torch.optim.Adam(
            self.module.parameters(), lr=critic.learning_rate, betas=(0.5, 0.9), fused=True
        )

    def move(self, step: Step, ranks: int) -> Tensor:
        """One step of its own; its loss before."""
        loss = self.loss(step)
        self.optimizer.zero_grad(set_to_none=True)  # what the model's step left there
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        gradients = [parameter.grad for parameter in self.module.parameters() if parameter.grad is not None]
        for gradient in gradients if ranks > 1 else ():
            dist.all_reduce(gradient)
            gradient /= ranks
        self.optimizer.step()
        return loss.detach()


class _Window:
    """Running means of the loss and its parts between two reports, each over the steps that had it."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def add(self, terms: Terms) -> None:
        for name, term in {"total": terms.total, **terms.parts}.items():
            self.values.setdefault(name, []).append(float(term.detach()))

    def means(self) -> dict[str, float]:
        return {name: sum(values) / len(values) for name, values in self.values.items()}


def _check(phases: Sequence[Phase], parts: Collection[str]) -> None:
    """Raises ValueError where phases name what no model has, or where they never let one of the model's parts learn."""
    named = {name for phase in phases for name in phase.learns}
    if unknown := named - {*PARTS, *parts}:  # of PARTS a model may lack some
        raise ValueError(f"the objective's phases name {', '.join(sorted(unknown))}, which no model has")
    if idle := set(parts) - named:
        raise ValueError(f"none of the objective's phases lets {', '.join(sorted(idle))} learn")


def room_for(attributes: int, latent: int) -> None:
    """Raises UsageError where there are fewer dimensions than attributes."""
    if attributes > latent:
        raise UsageError(
            f"{attributes} attributes need as many latent dimensions, and there are {latent}", remedy="give latent=..."
        )
