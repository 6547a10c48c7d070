"""Compare ways to draw the attribute codes from their intervals (NEAR in vae/normal_scores.py).

If codes are drawn nearer to the means of their intervals, the encoder's published metrics rise, and the overlap of the
codes with the prior falls. The table shows both.

    python benchmarks/near.py bach

The model must have a conditional decoder. Its codes are computed from the attribute values, so no training is needed.
The evaluation follows the paper's protocol; figures are means over evaluate.DRAWS samples of the codes. MIG and SAP are
divided by those of an oracle whose latents are the attributes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from arvae_music.corpora import datasets
from arvae_music.evaluation.evaluate import EvaluationOptions, evaluate_model
from arvae_music.evaluation.result import Evaluation
from arvae_music.networks.model import prepare
from arvae_music.system import machine as processor
from arvae_music.vae import checkpoint
from arvae_music.vae.checkpoint import Checkpoint
from arvae_music.vae.scales import Scale

TRIED = (1.0, 0.9, 0.8, 0.7, 0.5, 0.0)
LEAST = 1e-3  # the smallest standard deviation of a drawn code
# The smallest sizes for the parts of the evaluation that are not shown here.
OPTIONS = EvaluationOptions(requests=1, guided=1, traversals=1, probe_rows=100, contexts=2, samples=10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a bundled model, a file or a run folder")
    parser.add_argument("--part", default="valid", choices=["valid", "test"], help="the held-out part")
    options = parser.parse_args()
    processor.settle(1)
    made = checkpoint.read(options.model)
    names = made.metadata.carried
    parts = datasets.load(str(made.metadata.provenance["corpus"]), names).split
    judged = parts.valid if options.part == "valid" else parts.test
    print("| near | Interpretability | SCC | MIG | SAP | overlap: " + " | ".join(names) + " |")
    print("|---" * (5 + len(names)) + "|")
    for near in TRIED:
        print(row(near, evaluate_model(prepare(drawn(made, near)), parts.train, judged, OPTIONS)))


def drawn(made: Checkpoint, near: float) -> Checkpoint:
    """The same model with codes that are drawn with another value of NEAR."""

    def other(scale: Scale) -> Scale:
        if not scale.given:
            return scale
        spreads = tuple(max(spread * near / scale.near, LEAST) for spread in scale.spreads)
        return replace(scale, near=near, spreads=spreads)

    scales = tuple(map(other, made.metadata.scales))
    return replace(made, metadata=replace(made.metadata, scales=scales))


def row(near: float, found: Evaluation) -> str:
    head, oracle = found.headline, found.representation["paper's protocol, oracle"]
    figures = [f"{near:g}", f"{head['paper.interpretability']:.3f}", f"{head['paper.scc']:.3f}"]
    figures += [f"{head[f'paper.{name}'] / oracle[name]:.2f}" for name in ("mig", "sap")]
    figures += [f"{head[f'overlap.{name}']:.3f}" for name in found.attributes]
    return "| " + " | ".join(figures) + " |"


if __name__ == "__main__":
    main()
