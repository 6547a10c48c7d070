"""Evaluate the image models next to the paper's figures, or time how fast images are drawn and measured.

    python benchmarks/images.py                    evaluate the models mnist and sprites on held-out images
    python benchmarks/images.py --speed            time the drawing of sprites and the measuring of digits, on one core

The figures are those of `arvae evaluate MODEL --part test`, in the paper's protocol (images/evaluation.py defines
them). The row `limit` below each model has the scores of latents that equal the attributes. The rows after it have the
values that the paper reports for models that were trained on all of MNIST or dSprites for 100 epochs. They are medians
of ten seeds, and were read from its plots.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from arvae_music.corpora import images, morpho_mnist, sprites
from arvae_music.evaluation.published import METRICS
from arvae_music.images import digits
from arvae_music.images.evaluation import PUBLISHED, evaluate_model
from arvae_music.images.model import load
from arvae_music.vae.examples import split

MODELS = ("mnist", "sprites")
ROUNDS = 5  # the fastest counts, because other programs can only slow a round down


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=MODELS, help="bundled models, files or run folders of images")
    parser.add_argument("--part", default="test", choices=["valid", "test"], help="the held-out part")
    parser.add_argument("--speed", action="store_true", help="time drawing and measuring instead of evaluating")
    options = parser.parse_args()
    if options.speed:
        speed()
        return
    print("| model | data | images | Interp. | MIG | SAP | SCC | reconstruction | digit kept | control |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in options.models:
        judge(name, options.part)


def judge(name: str, part: str) -> None:
    """Evaluate a model and print its rows of the table."""
    model = load(name)
    corpus = str(model.metadata.provenance["corpus"])
    data = images.load(corpus, model.metadata.names)
    parts = split(data.examples)
    judged = getattr(parts, part)
    result = evaluate_model(model, parts.train, judged, about={}, digits=data.digits_of if data.digits else None)
    found, limit = result.headline, result.representation["paper's protocol, oracle"]
    shown = [metric for metric in METRICS if metric != "modularity"]
    figures = [f"{found[f'paper.{metric}']:.3f}" for metric in shown]
    kept = f"{found['kept']:.3f}" if "kept" in found else ""
    figures += [f"{found['pixels']:.4f}", kept, f"{found['control_mean']:.3f}"]
    print(f"| {model.name} | {data.source} | {result.counts['evaluated']:,} | {' | '.join(figures)} |")
    print(f"| limit | | | {' | '.join(f'{limit[metric]:.3f}' for metric in shown)} | | | |")
    for row, values in PUBLISHED[corpus].items():
        known = [f"{values[metric]:.3f}" for metric in shown]
        known += [f"{values['pixels']:.4f}", f"{values['kept']:.3f}" if "kept" in values else "", ""]
        print(f"| {row} | all of it | | {' | '.join(known)} |")


def speed() -> None:
    """Print how fast sprites are drawn and digits are measured."""
    chosen = np.random.default_rng(0).integers(0, sprites.COUNT, 5000)
    some = morpho_mnist.load().examples.inputs[::20]
    digits.measure(some[:2])  # imports scipy
    drawn, measured = min(_times(lambda: sprites.render(chosen))), min(_times(lambda: digits.measure(some)))
    print(f"sprites drawn: {len(chosen) / drawn:,.0f} a second")
    print(f"digits measured: {1000 * measured / len(some):.2f} ms each")


def _times(work: Callable[[], object]) -> list[float]:
    """CPU seconds of each of ROUNDS calls."""
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return found


if __name__ == "__main__":
    main()
