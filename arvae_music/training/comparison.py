"""The comparison of methods: the runs of `arvae benchmark` as rows, Markdown and JSON.

A run is one model of one method and seed, with the headline of its evaluation (evaluation/evaluate.py). `cells` has a
row for each method, with mean and standard deviation over its seeds, and the published values; `cells_of_runs` has a
row for each run.

Columns: everything is measured on held-out data. In the row of a method, steps and minutes (of training) are means over
its seeds. Interp., Modularity, MIG, SAP and SCC describe the encoder, in the paper's protocol. tokens drawn is the
share of tokens that are right when decoded from a sampled code, as published. tokens, measures (whole ones) and pixels
are decoded from the posterior mean. digit kept: how often a classifier still recognises the digit after a traversal, as
published. control: Spearman(requested, realised) when one attribute's code is set to that of another example and
decoded once, mean over the attributes. exact: the share of these requests that are met to half a step of the attribute.
drift: |Spearman| of the request with unrelated attributes of the result, minus what chance gives. leakage: R2 of a
probe that predicts the attribute from the dimensions that should not hold it. prior: overlap of the distribution of an
attribute's codes, over all measures, with N(0, 1), of the worst attribute. KL: the divergence of these distributions
from N(0, 1), in nats, mean over the attributes; 0 is ideal. valid: the share of samples from the prior that are valid
measures. guided: exact when the edit engine searches among many decodes. given: the codes are computed from the
attribute values and given to the decoder (conditional, fader, aligned), so that the metrics of the encoder and the
match with the prior hold by construction and say nothing about the model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..evaluation.published import METRICS
from ..reports.model_card import table
from .objectives.entries import ENTRIES, Carriage

Figures = Mapping[str, float]

COLUMNS = {
    "paper.interpretability": "Interp.", "paper.modularity": "Modularity", "paper.mig": "MIG", "paper.sap": "SAP",
    "paper.scc": "SCC", "paper.tokens": "tokens drawn",
    "tokens": "tokens", "measures": "measures", "pixels": "pixels", "kept": "digit kept",
    "control_mean": "control", "exact_mean": "exact",
    "drift": "drift", "leakage": "leakage", "overlap": "prior", "kl": "KL", "valid": "valid",
    "guided.exact_mean": "guided",
}  # fmt: skip

PLACES: dict[Carriage, str] = {
    "trained": "dimensions trained for them",
    "given": "exact codes, given to the decoder",
    "found": "the dimensions most informative about them, found afterwards",
}


GIVEN = "given"  # instead of a figure of codes that are computed from the values
_OF_CODES = (*(f"paper.{name}" for name in METRICS), "overlap", "kl")


def _is_given(method: str, column: str) -> bool:
    return ENTRIES[method].carriage == "given" and column in _OF_CODES


@dataclass(frozen=True)
class Run:
    method: str  # one of objectives.ENTRIES
    seed: int
    steps: int
    seconds: float  # of training
    headline: Figures
    beta: float
    gamma: float


def columns(runs: Sequence[Run]) -> dict[str, str]:
    """The COLUMNS whose figures the runs have; measures and images differ in some."""
    return {name: label for name, label in COLUMNS.items() if any(name in run.headline for run in runs)}


def summary(runs: Sequence[Run], names: Collection[str] | None = None) -> dict[str, dict[str, tuple[float, float]]]:
    """method -> column (`names` of the headline, else `columns`) -> mean and standard deviation (n - 1) over its runs;
    NaN for what a run could not measure, and for the deviation of one run."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    shown = columns(runs) if names is None else names
    for method in dict.fromkeys(run.method for run in runs):
        own = [run.headline for run in runs if run.method == method]
        found[method] = {name: _mean_sd([one[name] for one in own]) for name in shown}
    return found


def _mean_sd(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def cells(runs: Sequence[Run], published: Mapping[str, Figures]) -> list[tuple[str, ...]]:
    """The summary as text, a heading first. `published` are rows of values in the paper's protocol, by metric."""
    rows = [("method", "runs", "steps", "minutes", *columns(runs).values())]
    for method, figures in summary(runs).items():
        own = [run for run in runs if run.method == method]
        steps, minutes = f"{np.mean([run.steps for run in own]):.0f}", _minutes([run.seconds for run in own])
        each = (GIVEN if _is_given(method, name) else spread(*figures[name]) for name in columns(runs))
        rows.append((method, str(len(own)), steps, minutes, *each))
    for name, values in published.items():
        known = {f"paper.{key}" if f"paper.{key}" in COLUMNS else key: value for key, value in values.items()}
        rows.append((name, "", "", "", *(_number(known[key]) if key in known else "" for key in columns(runs))))
    return rows


def cells_of_runs(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """The heading and then a row for each run, as text."""
    rows = [("method", "seed", "steps", "minutes", *columns(runs).values())]
    for run in runs:
        about = (run.method, str(run.seed), str(run.steps), _minutes([run.seconds]))
        each = (GIVEN if _is_given(run.method, name) else _number(run.headline[name]) for name in columns(runs))
        rows.append((*about, *each))
    return rows


def cells_of_methods(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """The heading and then a row that describes each method, as text."""
    rows: list[tuple[str, ...]] = [("method", "source", "beta", "gamma", "gamma weighs", "attributes lie in")]
    for method, run in {run.method: run for run in runs}.items():
        known = ENTRIES[method]
        rows.append((method, known.source, f"{run.beta:g}", f"{run.gamma:g}", known.weighs, PLACES[known.carriage]))
    return rows


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, the heading first, as a Markdown table."""
    return "\n".join(table(rows))


def page(
    runs: Sequence[Run], published: Mapping[str, Figures], command: str, about: Mapping[str, str], title: str
) -> str:
    """Everything as a Markdown document."""
    columns = (__doc__ or "").partition("Columns: ")[2].strip()
    facts = [f"- {name}: {value}" for name, value in about.items()]
    return "\n".join(
        [
            f"# {title}",
            "",
            f"    {command}",
            "",
            *facts,
            "",
            "Mean ± standard deviation over the seeds. Published values are medians of ten seeds, of longer training",
            "with other networks, on other tunes and in all keys: for orientation only.",
            "",
            markdown(cells(runs, published)),
            "",
            "Each run separately:",
            "",
            markdown(cells_of_runs(runs)),
            "",
            "The methods (each is a file in `arvae_music/training/objectives`) and their weights:",
            "",
            markdown(cells_of_methods(runs)),
            "",
            f"Columns: {columns}",
            "",
        ]
    )


def to_json(runs: Sequence[Run], published: Mapping[str, Figures], about: Mapping[str, str]) -> dict[str, Any]:
    methods = {
        method: {name: {"mean": mean, "sd": sd} for name, (mean, sd) in figures.items()}
        for method, figures in summary(runs).items()
    }
    return {"about": about, "methods": methods, "published": published, "runs": [vars(run) for run in runs]}


def spread(mean: float, sd: float) -> str:
    """Both as text; the mean alone where there is no deviation."""
    return _number(mean) if np.isnan(sd) else f"{_number(mean)} ± {_number(sd)}"


def _minutes(seconds: Sequence[float]) -> str:
    """Their mean."""
    return f"{np.mean(seconds) / 60:.1f}"


def _number(value: float) -> str:
    """Three decimals; a dash for what could not be measured."""
    return "-" if np.isnan(value) else f"{value:.3f}"
