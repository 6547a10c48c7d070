"""Train variants of the aligned objective with the same settings and several seeds, and compare them.

    python benchmarks/ablation.py --seeds 3 --epochs 60 -o runs/ablation
    python benchmarks/ablation.py --variants plain,aligned --part test

Variants are evaluated on the validation tunes of Bach, on which the defaults were chosen. A finished run, whose JSON
file exists, is not repeated. Two processes may share a folder if they have different --variants. The name of a JSON
file has a digest of all settings of its variant, including defaults of other modules, so that the variant is trained
again after they change. All columns are of a single decode:

    rhythm, range, density, contour    control: rank correlation (Spearman) of requested and realised values
    exact                              share of requests that are met exactly
    drift, leakage                     as docs/results.md defines them; leakage is that of the best probe
    tokens, whole                      share of reconstructed tokens, of reconstructed measures
    pitches                            share of the notes with a kept onset whose pitch an edit keeps
    overlap                            overlap of an attribute's codes with the prior N(0, 1), for the worst attribute

The variants, where + adds to the variant before the plus:

    plain         AR-VAE, as published
    conditional   conditional VAE: the decoder receives exact attribute codes, beta 0.001
    tight         conditional with the first beta of aligned, a tight bottleneck
    policy        tight + policy gradient, and beta falls, as in all variants below
    flow          tight + flow, without a policy gradient
    aligned       tight + policy gradient + flow
    kept          aligned + invariance: the edit, encoded again, should have the same u
    gained        aligned + gains, as `arvae train` does it
    dependence    aligned + a penalty on the distance correlation between the other dimensions and each attribute

The following variants differ from aligned in one setting:

    strict        beta does not fall
    loose         beta is 0.001 from the beginning
    single        the encoder is not frozen, but learns to the end
    noisy         the same, and the flow is fitted to noisy points instead of means
    even          all attributes are requested equally often, whatever their errors
    still         no mixed measure is transposed along the scale
    standard      codes are values in sd instead of normal scores
    narrow        the decoder gets z alone, without 64 features computed from it
    trained       the codes are learned as in AR-VAE, instead of exact
    trained-loose the same with beta 0.001
    same          all ticks of a beat get the same input from the beat
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from arvae_music.corpora import datasets
from arvae_music.evaluation.evaluate import EvaluationOptions, evaluate_model
from arvae_music.music.attributes import PAPER, evaluate_mixed, find
from arvae_music.networks.hierarchical import accuracy, build
from arvae_music.networks.model import prepare
from arvae_music.system import machine as processor
from arvae_music.system.files import write_whole
from arvae_music.system.machine import seed_all
from arvae_music.training import comparison
from arvae_music.training.augmentation import CROSSING, MOVING, Mixer
from arvae_music.training.domains import make_plan
from arvae_music.training.joint_values import combinations_of
from arvae_music.training.music_recipe import FLOW_LAYERS, WIDE, to_checkpoint, with_gains
from arvae_music.training.objectives import entry, make
from arvae_music.training.objectives.aligned import EASED, FINISH, START, Aligned, Weights
from arvae_music.training.objectives.ar_vae import ArVaeObjective
from arvae_music.training.objectives.entries import Carriage
from arvae_music.training.objectives.objective import Memory, Objective, Phase, Setting, Step, Terms
from arvae_music.training.trainer import Trainer
from arvae_music.vae.examples import Split, standard
from arvae_music.vae.normal_scores import NEAR, Codes
from arvae_music.vae.scales import Scale, with_given_codes

COLUMNS = {
    **{f"control.{name}": name for name in PAPER}, "exact_mean": "exact", "drift": "drift", "leakage": "leakage",
    "tokens": "tokens", "measures": "whole", "pitches": "pitches", "overlap": "overlap",
}  # fmt: skip
WIDTH = 0.05  # the spread that the codes of a standardised value are given
BETA = entry("aligned").beta
NO_POLICY = Weights(policy=0.0)


@dataclass(frozen=True)
class Variant:
    """An objective and the settings that differ between variants; the defaults are those of `aligned`."""

    objective: str = "aligned"
    weights: Weights = field(default_factory=Weights)
    layers: int = FLOW_LAYERS
    beta: float = BETA
    dependence: float = 0.0
    exact: bool = True  # aligned only: the decoder receives exact codes; otherwise codes are learned as in AR-VAE
    gains: bool = False
    normal: bool = True  # codes are normal scores; otherwise values in sd
    finish: float = FINISH
    noise: float = 0.0
    eased: float = EASED
    moving: float = MOVING
    wide: int = WIDE
    each_tick: bool = True


VARIANTS: dict[str, Variant] = {
    "plain": Variant("ar-vae", layers=0, beta=1e-3),
    "conditional": Variant("conditional", layers=0, beta=1e-3),
    "tight": Variant("conditional", layers=0),
    "policy": Variant(layers=0),
    "flow": Variant(weights=NO_POLICY),
    "aligned": Variant(),
    "kept": Variant(weights=Weights(keep=0.1)),
    "gained": Variant(gains=True),
    "single": Variant(finish=1.0),
    "noisy": Variant(finish=1.0, noise=0.3),
    "still": Variant(moving=0.0),
    "narrow": Variant(wide=0),
    "same": Variant(each_tick=False),
    "strict": Variant(eased=1.0),
    "even": Variant(weights=Weights(focus=0.0)),
    "standard": Variant(normal=False),
    "loose": Variant(beta=1e-3),
    "trained": Variant(exact=False),
    "trained-loose": Variant(exact=False, beta=1e-3),
    "dependence": Variant(dependence=1.0),
}


@dataclass(frozen=True, eq=False)
class Dependence(Objective):
    """The aligned objective, plus a penalty on the distance correlation between the means of the other dimensions and
    each attribute (Szekely, Rizzo & Bakirov, "Measuring and testing dependence by correlation of distances", Annals of
    Statistics 2007)."""

    inner: Aligned
    weight: float

    @property
    def carriage(self) -> Carriage:
        return self.inner.carriage

    @property
    def memory(self) -> Memory:
        return self.inner.memory

    @property
    def phases(self) -> Sequence[Phase]:
        return self.inner.phases

    def terms(self, step: Step) -> Terms:
        terms = self.inner.terms(step)
        if step.progress < START:
            return terms
        others, codes = step.outputs.posterior.mean[:, self.inner.k :], step.batch.codes
        dependence = torch.stack([distance_correlation(others, column[:, None]) for column in codes.T]).sum()
        return terms.plus("dependence", self.weight, dependence)


@dataclass(frozen=True, eq=False)
class Standardised(Codes):
    """Values in standard deviations from their mean, instead of normal scores, without randomness."""

    mean: npt.NDArray[np.floating[Any]] = field(default_factory=lambda: np.zeros(0))
    sd: npt.NDArray[np.floating[Any]] = field(default_factory=lambda: np.ones(0))

    def __call__(self, values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        return ((values - self.mean) / self.sd).astype(np.float32)

    def drawn(self, values: npt.NDArray[np.floating[Any]], random: np.random.Generator) -> npt.NDArray[np.float32]:
        return self(values)

    def scale(self, scale: Scale, k: int) -> Scale:
        levels = self.scores[k].levels
        codes = (levels - self.mean[k]) / self.sd[k]
        return with_given_codes(scale, levels, codes, np.full(len(levels), WIDTH))


def distance_correlation(x: Tensor, y: Tensor) -> Tensor:
    """(n, p), (n, q) -> their squared distance correlation."""
    a, b = (_centred(torch.cdist(one, one, compute_mode="donot_use_mm_for_euclid_dist")) for one in (x, y))
    return (a * b).mean() / ((a * a).mean() * (b * b).mean()).sqrt().clamp(min=1e-12)


def _centred(distances: Tensor) -> Tensor:
    return distances - distances.mean(0) - distances.mean(1, keepdim=True) + distances.mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", default=",".join(VARIANTS), help="names, separated by commas")
    parser.add_argument("--seeds", type=int, default=3, help="the number of runs of each variant")
    parser.add_argument("--epochs", type=int, default=60, help="the length of each run")
    parser.add_argument("--part", default="valid", choices=["valid", "test"], help="the part to evaluate on")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/ablation"), help="the folder of the results")
    options = parser.parse_args()
    names = options.variants.split(",")
    if unknown := [name for name in names if name not in VARIANTS]:
        parser.error(f"--variants: unknown {', '.join(unknown)}; the variants are {', '.join(VARIANTS)}")
    processor.settle(1)
    parts = datasets.load("bach", PAPER).split
    runs = []
    for seed in range(options.seeds):
        for name in names:
            variant = VARIANTS[name]
            place = options.output / f"{name}-{seed}-{options.epochs}-{options.part}-{digest(variant)}.json"
            if not place.exists():
                body = json.dumps(one(variant, seed, options.epochs, parts, options.part))
                write_whole(place, body.encode())
            runs.append(comparison.Run(method=name, seed=seed, **json.loads(place.read_text())))
            print(f"{name} {seed}", flush=True)
    runs.sort(key=lambda run: list(VARIANTS).index(run.method))
    print(comparison.markdown(_cells(runs)))


def digest(variant: Variant) -> str:
    """Eight hexadecimal digits that identify a variant and the constants of other modules that all variants use."""
    return blake2b(repr((variant, NEAR, CROSSING, START)).encode(), digest_size=4).hexdigest()


def _cells(runs: Sequence[comparison.Run]) -> list[tuple[str, ...]]:
    """The table's heading, and a row of means and standard deviations over the seeds for each variant."""
    rows = [("", *COLUMNS.values())]
    for name, figures in comparison.summary(runs, COLUMNS).items():
        rows.append((name, *(comparison.spread(*figures[key]) for key in COLUMNS)))
    return rows


def one(variant: Variant, seed: int, epochs: int, parts: Split, part: str) -> Mapping[str, Any]:
    """Train a variant with one seed and evaluate it on `part`. Returns the body of its JSON file."""
    specs = [find(name) for name in PAPER]
    given = {"epochs": epochs, "beta": variant.beta}
    plan = make_plan("bach", PAPER, len(parts.train), variant.objective, None, seed, given)
    attributes = len(specs) if variant.layers else 0
    dims, options = plan.dims, plan.options
    dims = replace(
        dims, flow_layers=variant.layers, attributes=attributes, wide=variant.wide, each_tick=variant.each_tick
    )
    known = combinations_of(parts.train, specs)
    setting = options.setting(dims.latent, parts.train, partial(evaluate_mixed, specs), known)
    if not variant.normal:
        scores = Codes.of_examples(parts.train).scores
        setting = replace(setting, codes=Standardised(scores, *standard(parts.train.attributes)))
    objective = _objective(variant, setting)
    seed_all(seed, 0, 0)
    model = build(dims)
    started = time.perf_counter()
    mixer = Mixer(specs, plan.mix, moving=variant.moving)
    trainer = Trainer.of_examples(model, parts.train, parts.valid, options, accuracy, mixer, objective)
    assert setting.codes is not None
    trainer.source.codes = setting.codes
    for _ in trainer.run():
        pass
    seconds = time.perf_counter() - started
    made = to_checkpoint(model, dims, parts.train, specs, [""] * len(specs), {}, {}, objective.carriage, known)
    if isinstance(setting.codes, Standardised):
        scales = [setting.codes.scale(scale, k) for k, scale in enumerate(made.metadata.scales[: len(specs)])]
        scales += made.metadata.scales[len(specs) :]
        made = replace(made, metadata=replace(made.metadata, scales=tuple(scales)))
    if variant.gains:
        made = with_gains(made, parts.valid)
    judged = parts.valid if part == "valid" else parts.test
    result = evaluate_model(prepare(made), parts.train, judged, EvaluationOptions(guided=8, traversals=2))
    return {
        "steps": trainer.step, "seconds": seconds, "headline": result.headline, "beta": variant.beta,
        "gamma": options.gamma,
    }  # fmt: skip


def _objective(variant: Variant, setting: Setting) -> Objective:
    made = make(variant.objective, setting)
    if not isinstance(made, Aligned):
        return made
    made = replace(made, weights=variant.weights, finish=variant.finish, eased=variant.eased, noise=variant.noise)
    if not variant.exact:
        made = replace(made, plain=ArVaeObjective(variant.beta, 1.0, setting.delta))
    return Dependence(made, variant.dependence) if variant.dependence else made


if __name__ == "__main__":
    main()
