"""Continue the training of a finished run of `arvae train` on music, with the objective aligned.

    python scripts/refine_model.py runs/folk --minutes 50 --flow-minutes 6 --wide 64
    python scripts/refine_model.py runs/folk --start folk           continue the bundled model in a new folder

RUN/model.safetensors is replaced, and RUN/config.json too if the network grows. Up to three phases follow one another,
each for its number of minutes:

    --minutes           the whole model is trained, with a new learning rate
    --flow-minutes      only the flow is fitted, which removes attribute information from the other dimensions. It ends
                        with the weights that were best on held-out measures
    --decoder-minutes   the decoder and the flow are trained while the encoder is frozen, so that they can adapt to it;
                        with --weights flow=0, only the decoder

The model's metadata has a list `refined` with one entry for each use of this script. Older entries have no `weights`;
there, --decoder-minutes trained the decoder alone.
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

MOST_EPOCHS = 1_000_000  # never reached: the minutes end the training
FLOOR = 0.02  # share of the learning rate at the end of the flow's fit
ROWS = 100_000  # encoded rows that the flow is fitted to
JUDGED = 2_000  # the largest number of held-out measures on which the flow is evaluated
STEPS = 500  # steps from one evaluation to the next


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of the run")
    parser.add_argument("--start", metavar="MODEL", help="make the folder RUN from a bundled model of music")
    parser.add_argument("--corpus", help="with --start: the corpus to train on (default: that of the model)")
    parser.add_argument("--minutes", type=float, default=17.0, help="for the whole model (default: 17)")
    parser.add_argument("--flow-minutes", type=float, default=4.0, help="for the flow alone (default: 4)")
    parser.add_argument("--decoder-minutes", type=float, default=0.0, help="for decoder and flow (default: 0)")
    parser.add_argument("--weights", default="", help="weights that replace the objective's: policy=4,drift=3,flow=0")
    parser.add_argument("--batch", type=int, default=256, help="measures a step (default: 256)")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="default: 0.002")
    parser.add_argument("--beta", type=float, help="weight of the KL divergence (default: that of the run)")
    parser.add_argument("--wide", type=int, help="features of z for the decoder; the weights of new ones start at 0")
    parser.add_argument("--each-tick", action="store_true", help="each tick gets its own input; its weights start at 0")
    parser.add_argument("--seed", type=int, default=7, help="default: 7")
    arguments = parser.parse_args()
    if arguments.corpus and not arguments.start:
        parser.error("--corpus needs --start: an existing run is continued on its own corpus")
    given = [each.split("=") for each in arguments.weights.split(",") if each]
    if not {each[0] for each in given} <= {each.name for each in fields(Weights)} or any(len(e) != 2 for e in given):
        names = ", ".join(e.name for e in fields(Weights))
        parser.error(f"--weights {arguments.weights}: write NAME=VALUE, where NAME is one of {names}")
    processor.settle(1)
    if arguments.start:
        begin(arguments.run, arguments.start, arguments.corpus)
    plan = RunFolder(arguments.run).read_plan()
    expect_aligned(str(arguments.run), plan.options.objective)
    beta = plan.options.beta if arguments.beta is None else arguments.beta
    options = replace(
        plan.options, epochs=MOST_EPOCHS, batch=arguments.batch, beta=beta, seed=arguments.seed,
        learning_rate=arguments.learning_rate,
    )  # fmt: skip
    wide = plan.dims.wide if arguments.wide is None else arguments.wide
    if wide < plan.dims.wide:
        raise SystemExit(f"{arguments.run} has {plan.dims.wide} features of z; --wide must be at least as large")
    dims = replace(plan.dims, wide=wide, each_tick=plan.dims.each_tick or arguments.each_tick)
    larger = dims != plan.dims
    plan = replace(plan, options=options, dims=dims)
    data = datasets.load(plan.corpus, plan.attributes)
    seed_all(arguments.seed, 0, 0)
    trainer = MEASURES.trainer(plan, data, torch.device("cpu"))
    before = checkpoint.read(arguments.run)
    trainer.model.load_state_dict(grown(from_checkpoint(before).state_dict(), trainer.model.state_dict()))
    assert isinstance(trainer.objective, Aligned)
    weights = trainer.objective.weights
    weights = replace(weights, **{name: float(value) for name, value in given})
    trainer.objective = changed(trainer.objective, weights=weights, start=0.0, finish=1.0, eased=1.0)
    train(trainer, arguments.minutes)
    if arguments.flow_minutes:
        fit_flow(trainer, trainer.objective, data.split.valid, arguments.flow_minutes, arguments.learning_rate)
    trainer.objective = changed(trainer.objective, finish=0.0)
    train(trainer, arguments.decoder_minutes)
    refined = {
        "minutes": arguments.minutes,
        "flow_minutes": arguments.flow_minutes,
        "decoder_minutes": arguments.decoder_minutes,
        "batch": arguments.batch,
        "learning_rate": arguments.learning_rate,
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
    checkpoint.write(arguments.run / checkpoint.MODEL_FILE, made, overwrite=True)
    if larger:
        RunFolder(arguments.run).write_plan(plan)


def expect_aligned(name: str, objective: str) -> None:
    """Raises SystemExit for a run or a model of another objective, whose networks have other sizes."""
    if objective != "aligned":
        raise SystemExit(
            f"{name} was trained with {objective}; only models of aligned can be refined: "
            "train one with arvae train --objective aligned"
        )


def begin(run: Path, model: str, corpus: str | None) -> None:
    """Make a run folder from a bundled model, with the options with which it was trained."""
    if run.exists():
        raise SystemExit(f"{run} exists; --start needs the name of a new folder")
    made = checkpoint.read(model)
    expect_aligned(model, made.metadata.training["objective"])
    training, dims = made.metadata.training, MEASURES.read_dims(made.metadata.dims)
    options = TrainingOptions(**{each.name: training[each.name] for each in fields(TrainingOptions)})
    corpus = corpus or str(made.metadata.provenance["corpus"])
    RunFolder(run).write_plan(Plan(corpus, made.metadata.carried, dims, options, training["mix"]))
    checkpoint.write(run / checkpoint.MODEL_FILE, made)


def changed(objective: Aligned, **changes: Any) -> Aligned:
    """A copy of an objective with `changes`, and with its running means."""
    made = replace(objective, **changes)
    for name, value in objective.memory.items():
        made.memory[name].copy_(value)
    return made


def train(trainer: Trainer, minutes: float) -> None:
    """Train the parts of the model that are not frozen for so many minutes."""
    if not minutes:
        return
    trainer.options, trainer.seconds = replace(trainer.options, minutes=minutes), 0.0
    for report in trainer.run():
        if report.valid:
            print(report.step, f"{report.progress:.2f}", report.parts, report.valid, flush=True)


def grown(weights: dict[str, Tensor], into: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copy the weights of a network into those of a larger one, which has more features of z or inputs for each tick.

    The weights that use the new features are 0, so that the larger network computes the same.
    """
    found = {name: value.clone() for name, value in into.items()}
    for name, value in weights.items():
        if not name.startswith("decoder.widen"):
            found[name].zero_()
        found[name][tuple(slice(size) for size in value.shape)] = value
    return found


def fit_flow(trainer: Trainer, objective: Aligned, held_out: Examples, minutes: float, learning_rate: float) -> None:
    """Fit the flow by maximum likelihood to a frozen encoder, on rows that are encoded once.

    On a small corpus the flow overfits. So it ends with the weights that were best on `held_out`, which may be those
    that it began with.
    """
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
        codes = torch.from_numpy(trainer.source.codes.drawn(values[at].numpy(), random))
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
    """At most JUDGED distinct held-out examples with their exact codes, and their posteriors."""
    at = distinct(held_out)
    chosen = held_out.take(at[spread(len(at), JUDGED)])
    arrays = (chosen.inputs, chosen.attributes, trainer.source.codes(chosen.attributes))
    inputs, values, codes = (torch.from_numpy(array) for array in arrays)
    mean, log_variance = (torch.from_numpy(side).float() for side in posteriors(trainer.model, chosen.inputs))
    return Batch(inputs, values, codes, 0), Posterior(mean, log_variance)


@torch.no_grad()
def _encoded(trainer: Trainer) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """About ROWS rows, drawn as in training: inputs, values, and the means and log-variances of their posteriors."""
    parts = []
    for _ in range(math.ceil(ROWS / trainer.options.batch)):
        rows = trainer.source.batch(trainer.step)
        parts.append((rows.inputs, rows.values, *trainer.model.posterior(rows.inputs)))
        trainer.step += 1
    inputs, values, mean, log_variance = (torch.cat(column) for column in zip(*parts, strict=True))
    return inputs, values, mean, log_variance


if __name__ == "__main__":
    main()
