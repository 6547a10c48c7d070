"""Goes on with a finished run of `arvae train` on music. Writes RUN/model.safetensors anew, and RUN/config.json where
the network grows.

    python scripts/refine_model.py runs/folk --minutes 50 --flow-minutes 6 --wide 64
    python scripts/refine_model.py runs/folk --start folk           from the packaged model on, in a new folder

One after another, each for its time:

    --minutes           all of it once more, at a new learning rate
    --flow-minutes      the flow alone, whose fit is what keeps an edit's other dimensions free of the attributes; it
                        ends with the weights that were best on held-out measures
    --decoder-minutes   decoder and flow, which come up with an encoder that stays as it is; the decoder alone with
                        --weights flow=0

The model's metadata has an entry a round, `refined`. In those that have no `weights`, older ones, --decoder-minutes was
the decoder's alone.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import time
from copy import deepcopy
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch

import numpy as np
import torch
from torch import Tensor

from arvae_music.corpora import datasets
from arvae_music.networks.hierarchical import from_checkpoint
from arvae_music.system import machine as processor
from arvae_music.system.machine import seed_all
from arvae_music.training.music_recipe import MEASURES
from arvae_music.training.objectives.aligned import Aligned, Weights
from arvae_music.training.objectives.objective import Batch
from arvae_music.training.recipe import Plan
from arvae_music.training.run_folder import RunFolder
from arvae_music.training.trainer import Trainer, TrainingOptions
from arvae_music.vae import checkpoint
from arvae_music.vae.examples import Examples, distinct, spread
from arvae_music.vae.model import Posterior, posteriors
from arvae_music.version import __version__

MOST_EPOCHS = 1_000_000  # the clock ends it
FLOOR = 0.02  # share of the learning rate at the end
ROWS = 100_000  # that the flow is fitted to
JUDGED = 2_000  # held-out measures that the flow is judged on, at most
STEPS = 500  # between two judgements


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--start", metavar="MODEL", help="make RUN, of a packaged model of music")
    parser.add_argument("--corpus", help="what to go on with, where RUN is made; the model's own if left out")
    parser.add_argument("--minutes", type=float, default=17.0)
    parser.add_argument("--flow-minutes", type=float, default=4.0)
    parser.add_argument("--decoder-minutes", type=float, default=0.0)
    parser.add_argument("--weights", default="", help="of the objective, others than its own: policy=4,drift=3,flow=0")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--beta", type=float, help="the run's own if left out")
    parser.add_argument("--wide", type=int, help="features of z for the decoder; new ones begin without weight")
    parser.add_argument("--each-tick", action="store_true", help="a beat tells each tick its own; at first nothing")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    if asked.corpus and not asked.start:
        parser.error("--corpus is for a run that --start makes: this one goes on with its own")
    given = [each.split("=") for each in asked.weights.split(",") if each]
    if not {each[0] for each in given} <= {each.name for each in fields(Weights)} or any(len(e) != 2 for e in given):
        parser.error(f"--weights {asked.weights}: give NAME=VALUE of {', '.join(e.name for e in fields(Weights))}")
    processor.settle(1)
    if asked.start:
        begin(asked.run, asked.start, asked.corpus)
    plan = RunFolder(asked.run).read_plan()
    beta = plan.options.beta if asked.beta is None else asked.beta
    options = replace(
        plan.options, epochs=MOST_EPOCHS, batch=asked.batch, beta=beta, seed=asked.seed,
        learning_rate=asked.learning_rate,
    )  # fmt: skip
    wide = plan.dims.wide if asked.wide is None else asked.wide
    if wide < plan.dims.wide:
        raise SystemExit(f"{asked.run} has {plan.dims.wide} features of z: --wide can add some, not take any away")
    dims = replace(plan.dims, wide=wide, each_tick=plan.dims.each_tick or asked.each_tick)
    larger = dims != plan.dims
    plan = replace(plan, options=options, dims=dims)
    data = datasets.load(plan.corpus, plan.attributes)
    seed_all(asked.seed, 0, 0)
    trainer = MEASURES.trainer(plan, data, torch.device("cpu"))
    before = checkpoint.read(asked.run)
    trainer.model.load_state_dict(grown(from_checkpoint(before).state_dict(), trainer.model.state_dict()))
    if not isinstance(trainer.objective, Aligned):
        raise SystemExit(f"{asked.run} was trained with {options.objective}, and only aligned has a flow")
    weights = trainer.objective.weights
    weights = replace(weights, **{name: float(value) for name, value in given})
    trainer.objective = changed(trainer.objective, weights=weights, start=0.0, finish=1.0, eased=1.0)
    train(trainer, asked.minutes)
    if asked.flow_minutes:
        fit_flow(trainer, trainer.objective, data.split.valid, asked.flow_minutes, asked.learning_rate)
    trainer.objective = changed(trainer.objective, finish=0.0)
    train(trainer, asked.decoder_minutes)
    refined = {
        "minutes": asked.minutes,
        "flow_minutes": asked.flow_minutes,
        "decoder_minutes": asked.decoder_minutes,
        "batch": asked.batch,
        "learning_rate": asked.learning_rate,
        "beta": beta,
        "weights": asdict(weights),
        "steps": trainer.step,
    }
    rounds = before.metadata.training.get("refined", [])
    training = {**before.metadata.training, "refined": [*(rounds if isinstance(rounds, list) else [rounds]), refined]}
    provenance = {
        "corpus": plan.corpus, "source": data.source, "licence": data.licence, "arvae": __version__,
        "made": time.strftime("%Y-%m-%d"), "valid": trainer.judge(),
    }  # fmt: skip
    made = MEASURES.checkpoint(plan, data, trainer, training, provenance)
    checkpoint.write(asked.run / checkpoint.MODEL_FILE, made, overwrite=True)
    if larger:
        RunFolder(asked.run).write_plan(plan)


def begin(run: Path, model: str, corpus: str | None) -> None:
    """A run's folder as it was when the packaged model was made."""
    if run.exists():
        raise SystemExit(f"{run} is there already: --start makes a new folder")
    made = checkpoint.read(model)
    training, dims = made.metadata.training, MEASURES.read_dims(made.metadata.dims)
    options = TrainingOptions(**{each.name: training[each.name] for each in fields(TrainingOptions)})
    corpus = corpus or str(made.metadata.provenance["corpus"])
    RunFolder(run).write_plan(Plan(corpus, made.metadata.carried, dims, options, training["mix"]))
    checkpoint.write(run / checkpoint.MODEL_FILE, made)


def changed(objective: Aligned, **changes: Any) -> Aligned:
    """The same with `changes`, and with what it remembers."""
    made = replace(objective, **changes)
    for name, value in objective.memory.items():
        made.memory[name].copy_(value)
    return made


def train(trainer: Trainer, minutes: float) -> None:
    """So long, what is not frozen."""
    if not minutes:
        return
    trainer.options, trainer.seconds = replace(trainer.options, minutes=minutes), 0.0
    for report in trainer.run():
        if report.valid:
            print(report.step, f"{report.progress:.2f}", report.parts, report.valid, flush=True)


def grown(weights: dict[str, Tensor], into: dict[str, Tensor]) -> dict[str, Tensor]:
    """`weights` of a network in those of one that has more features of z, or tells each tick its own: what reads or
    tells the new is 0 at first."""
    found = {name: value.clone() for name, value in into.items()}
    for name, value in weights.items():
        if not name.startswith("decoder.widen"):
            found[name].zero_()
        found[name][tuple(slice(size) for size in value.shape)] = value
    return found


def fit_flow(trainer: Trainer, objective: Aligned, held_out: Examples, minutes: float, learning_rate: float) -> None:
    """Fit it to the encoder as it is, by maximum likelihood, on rows that are encoded once. Of a small corpus it learns
    what is so there alone: it ends with the weights that were best on `held_out`, be they those that it began with."""
    model, flow, random = trainer.model, trainer.model.flow, np.random.default_rng(trainer.options.seed)
    assert flow is not None
    judged = _held_out(trainer, held_out)
    inputs, values, mean, log_variance = _encoded(trainer)
    optimizer = torch.optim.Adam(flow.parameters(), lr=learning_rate)
    least, best = math.inf, deepcopy(flow.state_dict())
    done, started, mean_loss = 0.0, time.monotonic(), math.nan
    for step in itertools.count():
        if step % STEPS == 0 or done >= 1:
            with torch.no_grad():
                found = float(objective.flow_loss(model, *judged))
            print(f"{trainer.step} flow {mean_loss:.4f}, held out {found:.4f}", flush=True)
            if found < least:
                least, best = found, deepcopy(flow.state_dict())
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done)))
        at = torch.from_numpy(random.integers(0, len(inputs), trainer.options.batch))
        codes = torch.from_numpy(trainer.codes.drawn(values[at].numpy(), random))
        rows = Batch(inputs[at], values[at], codes, 0)
        loss = objective.flow_loss(model, rows, Posterior(mean[at], log_variance[at]))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        optimizer.step()
        trainer.step += 1
        mean_loss = float(loss.detach()) if step == 0 else mean_loss + 0.01 * (float(loss.detach()) - mean_loss)
        done = (time.monotonic() - started) / (60 * minutes)
    flow.load_state_dict(best)


def _held_out(trainer: Trainer, held_out: Examples) -> tuple[Batch, Posterior]:
    """At most JUDGED different ones, with exact codes, as the encoder sees them."""
    at = distinct(held_out)
    chosen = held_out.take(at[spread(len(at), JUDGED)])
    arrays = (chosen.inputs, chosen.attributes, trainer.codes(chosen.attributes))
    inputs, values, codes = (torch.from_numpy(array) for array in arrays)
    mean, log_variance = (torch.from_numpy(side).float() for side in posteriors(trainer.model, chosen.inputs))
    return Batch(inputs, values, codes, 0), Posterior(mean, log_variance)


@torch.no_grad()
def _encoded(trainer: Trainer) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """ROWS rows as training draws them: inputs, values, and the posterior's means and log-variances."""
    parts = []
    for _ in range(math.ceil(ROWS / trainer.options.batch)):
        rows = trainer.batch()
        parts.append((rows.inputs, rows.values, *trainer.model.posterior(rows.inputs)))
        trainer.step += 1
    inputs, values, mean, log_variance = (torch.cat(column) for column in zip(*parts, strict=True))
    return inputs, values, mean, log_variance


if __name__ == "__main__":
    main()
