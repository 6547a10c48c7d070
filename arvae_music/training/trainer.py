"""The training loop. It yields reports; saving files (run_folder.py) and printing (cli/run.py) are done elsewhere.

    trainer = Trainer.of_examples(model, train, valid, TrainingOptions(epochs=20), compare=accuracy)
    for report in trainer.run():
        ...                                   # trainer.stop() ends it cleanly after the current step

The batches come from a Source and the figures on held-out pieces from a Judge (batches.py), so that the loop does not
depend on what the rows are: independent examples, or windows of consecutive measures.

All random numbers of a step are drawn from the seed, the step and the rank, and the order of an epoch from the seed and
the epoch. Therefore a run that is resumed from `state` continues as if it had never stopped, and the same seed gives
the same weights. The one exception is `minutes`: a schedule that follows the clock depends on the speed of the machine.

The loss is an Objective (objectives/objective.py), AR-VAE's by default. If the objective has a critic, it is trained in
each step after the model. In each phase of the objective the learning rate first rises, and then falls by a cosine.

Under torchrun the ranks share each batch, so that `batch` is the size of the whole batch for any number of ranks.
DistributedDataParallel averages the gradients, and the attribute loss compares rows across ranks
(losses.attribute_loss).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..errors import TrainingError, UsageError
from ..system.machine import seed_all
from ..vae.combinations import Combinations
from ..vae.examples import Examples
from ..vae.model import ArVae
from ..vae.normal_scores import Codes
from . import objectives, optimizer_state
from .batches import Augment, Compare, ExampleBatches, ExampleJudge, Rank, Source
from .objectives.objective import PARTS, Critic, Measure, Objective, Phase, Setting, Step, Terms

Judge = Callable[[], dict[str, float]]  # the figures of the model on held-out pieces
WARM_UP = 0.02  # share of a phase over which the learning rate rises
FLOOR = 0.01  # share of the learning rate at the end of a phase's cosine
RANGES = (
    "epochs, batch, report_steps, valid_steps and valid_rows are 1 or more, beta, gamma and seed 0 or more, "
    "and the others above 0"
)


@dataclass(frozen=True)
class TrainingOptions:
    # The run ends at the first of these two.
    epochs: int = 100
    minutes: float | None = None
    # The objective (objectives/); the defaults are those of Pati & Lerch (2020) for music.
    objective: str = objectives.DEFAULT
    beta: float = 1e-3
    gamma: float = 1.0
    delta: float = 10.0
    # The optimiser.
    batch: int = 256
    learning_rate: float = 2e-3
    clip: float = 1.0  # the largest norm of the gradient; a longer one is scaled down
    seed: int = 0
    # The reports.
    report_steps: int = 20  # steps from one report to the next
    valid_steps: int = 200  # steps from one evaluation on held-out pieces to the next
    valid_rows: int = 1024  # the largest number of held-out examples that are evaluated

    def __post_init__(self) -> None:
        counts = ("epochs", "batch", "report_steps", "valid_steps", "valid_rows")
        wrong = [name for name in counts if getattr(self, name) < 1]
        wrong += [name for name in ("beta", "gamma", "seed") if not getattr(self, name) >= 0]  # NaN is out of range too
        wrong += [name for name in ("delta", "learning_rate", "clip") if not getattr(self, name) > 0]
        if self.minutes is not None and not self.minutes > 0:
            wrong.append("minutes")
        if wrong:
            raise UsageError(f"{', '.join(wrong)}: out of range", remedy=RANGES)

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
        """The Setting from which `objectives.make` makes the objective."""
        codes, weights = Codes.of_examples(train), (self.beta, self.gamma, self.delta)
        return Setting(latent, train.attributes, *weights, self.seed, measure, codes, combinations)


@dataclass(frozen=True)
class Report:
    """The loss and its parts are means since the last report. `valid` has the figures on held-out pieces, if they were
    evaluated at this step."""

    step: int
    epoch: float
    progress: float  # 0 .. 1
    seconds: float  # of training, including the earlier sessions of a resumed run
    remaining: float  # estimated seconds to the end
    rate: float  # examples per second
    learning_rate: float
    loss: float
    parts: dict[str, float]  # the parts of the loss, not multiplied by their weights
    valid: dict[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Trainer:
    """One training run. Attribute k of the batches' values belongs to latent dimension k, unless the objective ignores
    attributes (objectives.Carriage)."""

    def __init__(
        self, model: Any, source: Source, judge: Judge, options: TrainingOptions, objective: Objective
    ) -> None:
        """`model` is a torch.nn.Module with `latent` dimensions, on its device; the objective knows how to call it."""
        self.model = model
        self.source = source
        self.options = options
        self.device = next(model.parameters()).device
        rank = Rank.here()
        self.ranks, self.rank = rank.of, rank.number
        room_for(source.attributes, model.latent)
        self._judge = judge
        self.objective = objective
        self.critic = _CriticTrainer(objective.critic, self.device) if objective.critic else None
        self.optimizer = torch.optim.Adam(
            model.parameters(), lr=options.learning_rate, betas=objective.momentum, fused=True
        )
        self.parallel: nn.Module = model
        self._phase: Phase | None = None  # the current phase
        self.step = 0
        self.seconds = 0.0
        self._stopping = False

    @classmethod
    def of_examples(
        cls,
        model: ArVae,
        train: Examples,
        valid: Examples,
        options: TrainingOptions,
        compare: Compare,
        augment: Augment | None = None,
        objective: Objective | None = None,
    ) -> Trainer:
        """A run on independent rows. `compare` computes the figures of a reconstruction. `objective` is made from the
        options if it is None."""
        device = next(model.parameters()).device
        source = ExampleBatches(train, options.batch, options.seed, augment, Rank.here(), device)
        room_for(source.attributes, model.latent)  # before an objective is made, which may need the room
        objective = objective or objectives.make(options.objective, options.setting(model.latent, train))
        codes = source.codes if objective.carriage == "given" else None
        judge = ExampleJudge(model, valid, options.valid_rows, codes, compare)
        return cls(model, source, judge, options, objective)

    @property
    def progress(self) -> float:
        by_steps = self.step / (self.options.epochs * self.source.steps_per_epoch)
        by_clock = self.seconds / (60 * self.options.minutes) if self.options.minutes else 0.0
        return min(1.0, max(by_steps, by_clock))

    def stop(self) -> None:
        """End `run` after the current step."""
        self._stopping = True

    def run(self) -> Iterator[Report]:
        """Train to the end that the options set, or until `stop`. Raises TrainingError if the loss or the gradient is
        not finite."""
        options, window = self.options, _Window()
        while self._largest_of_ranks(1.0 if self._stopping else self.progress) < 1.0:
            started = time.perf_counter()
            window.add(self._one_step())
            self.seconds += time.perf_counter() - started
            last = self.progress >= 1.0 or self._stopping
            judge = last or self.step % options.valid_steps == 0
            if judge or self.step % options.report_steps == 0:
                yield self._report(window, self.judge() if judge else None)
                window = _Window()

    def judge(self) -> dict[str, float]:
        """The figures of the model on held-out pieces."""
        self.model.eval()
        return self._judge()

    def _one_step(self) -> Terms:
        done = self._largest_of_ranks(self.progress)
        self._start_phase(self._phase_at(done)[0])
        rate = self._learning_rate(done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batch = self.source.batch(self.step)
        seed_all(self.options.seed, self.step, self.rank)
        self.model.train()
        outputs = self.parallel(*self.objective.arguments(batch))
        step = Step(self.model, batch, outputs, done, self.source.further(self.step))
        terms = self.objective.terms(step)
        if not math.isfinite(float(terms.total.detach())):
            raise TrainingError(f"the loss is {float(terms.total.detach())} at step {self.step}")
        self.optimizer.zero_grad(set_to_none=True)
        terms.total.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        if not math.isfinite(float(norm)):  # the step would ruin the weights, and they might be saved next
            raise TrainingError(f"the gradient's norm is {float(norm)} at step {self.step}")
        self.optimizer.step()
        if self.critic is not None:
            loss = self.critic.train(step, self.ranks)
            terms = Terms(terms.total, {**terms.parts, "critic": loss})
        self.step += 1
        return terms

    def _phase_at(self, done: float) -> tuple[Phase, float]:
        """The phase at `done`, the share of the run that is over, and the share of the phase that is over."""
        phases = [phase for phase in self.objective.phases if phase.start < 1.0]  # the others have no steps
        number = max(i for i, phase in enumerate(phases) if phase.start <= done)
        end = phases[number + 1].start if number + 1 < len(phases) else 1.0
        return phases[number], (done - phases[number].start) / (end - phases[number].start)

    def _start_phase(self, phase: Phase) -> None:
        """Make the parts of the model that learn in `phase` trainable, and freeze the others."""
        if phase == self._phase:
            return
        parts = dict(self.model.named_children())
        _check(self.objective.phases, parts)
        self._phase = phase
        for name, part in parts.items():
            part.requires_grad_(name in phase.learns)
        # DistributedDataParallel decides which gradients it averages when it is made.
        self.parallel = DistributedDataParallel(self.model) if self.ranks > 1 else self.model

    def _learning_rate(self, done_of_run: float) -> float:
        phase, done = self._phase_at(done_of_run)
        largest = self.options.learning_rate * phase.rate
        warm = min(1.0, (done + 1e-4) / WARM_UP)
        return largest * warm * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done)))

    def _largest_of_ranks(self, done: float) -> float:
        """The largest `done` of all ranks. They must agree: a rank that took another step or phase than the others
        would wait for them for ever."""
        if self.ranks == 1:
            return done
        largest = torch.tensor(done, dtype=torch.float64, device=self.device)
        dist.all_reduce(largest, dist.ReduceOp.MAX)
        return float(largest)

    def _report(self, window: _Window, valid: dict[str, float] | None) -> Report:
        done, means = self.progress, window.means()
        loss = means.pop("total")
        return Report(
            step=self.step,
            epoch=self.step / self.source.steps_per_epoch,
            progress=done,
            seconds=self.seconds,
            remaining=self.seconds * (1 - done) / max(done, 1e-9),
            rate=self.source.rows * self.step / max(self.seconds, 1e-9),
            learning_rate=self._learning_rate(done),
            loss=loss,
            parts=means,
            valid=valid,
        )

    # ------------------------------------------------------------------------------ resuming

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore` needs besides the same model, data and options, as a flat table for safetensors."""
        state = optimizer_state.state_of("model", "adam", self.model, self.optimizer)
        if self.critic is not None:
            state |= optimizer_state.state_of("critic", "critic_adam", self.critic.module, self.critic.optimizer)
        state |= {f"memory.{name}": value for name, value in self.objective.memory.items()}
        clock = torch.tensor([float(self.step), self.seconds], dtype=torch.float64)
        return {**{name: value.detach().cpu().contiguous() for name, value in state.items()}, "clock": clock}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from the step at which `state` was taken. Raises TrainingError if it does not fit the model."""
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
                remedy="resume with the options that the run was started with, or start again with overwrite=True",
            ) from error


class _CriticTrainer:
    """Trains a critic with an optimiser of its own."""

    def __init__(self, critic: Critic, device: torch.device) -> None:
        self.module, self.loss = critic.module.to(device), critic.loss
        self.optimizer = torch.optim.Adam(
            self.module.parameters(), lr=critic.learning_rate, betas=(0.5, 0.9), fused=True
        )

    def train(self, step: Step, ranks: int) -> Tensor:
        """Take one step of the critic's optimiser. Returns the critic's loss before the step."""
        loss = self.loss(step)
        self.optimizer.zero_grad(set_to_none=True)  # the model's step has left gradients here
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        gradients = [parameter.grad for parameter in self.module.parameters() if parameter.grad is not None]
        for gradient in gradients if ranks > 1 else ():
            dist.all_reduce(gradient)
            gradient /= ranks
        self.optimizer.step()
        return loss.detach()


class _Window:
    """Means of the loss and its parts between two reports. A part that not every step has is averaged over those that
    have it."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def add(self, terms: Terms) -> None:
        for name, term in {"total": terms.total, **terms.parts}.items():
            self.values.setdefault(name, []).append(float(term.detach()))

    def means(self) -> dict[str, float]:
        return {name: sum(values) / len(values) for name, values in self.values.items()}


def _check(phases: Sequence[Phase], parts: Collection[str]) -> None:
    """Raises ValueError if the phases name a part that no model has, or if a part of the model learns in no phase."""
    named = {name for phase in phases for name in phase.learns}
    if unknown := named - {*PARTS, *parts}:  # a model may lack some of PARTS
        raise ValueError(f"the objective's phases name {', '.join(sorted(unknown))}, which no model has")
    if idle := set(parts) - named:
        raise ValueError(f"none of the objective's phases lets {', '.join(sorted(idle))} learn")


def room_for(attributes: int, latent: int) -> None:
    """Raises UsageError if there are fewer latent dimensions than attributes."""
    if attributes > latent:
        raise UsageError(
            f"{attributes} attributes need as many latent dimensions, but there are {latent}", remedy="give latent=..."
        )
