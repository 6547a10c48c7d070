"""The headline of an evaluation: its most important figures, on which thresholds can be set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..vae.statistics import mean
from .published import METRICS
from .sections import PROBED, Figures

LOWER_IS_BETTER = frozenset(
    (
        "drift", "drift_plain", "drift_sd", "error", "leakage", "leakage_all", "intervention", "intervention_with",
        "kl", "nats",
    )
)  # fmt: skip
_MEANS = ("error", "drift_plain", "drift_sd", "onset_f1", "pitches", "ticks")  # of control.summary
_CONTROL = ("control", "control_mean", "exact", "exact_mean", "drift", *_MEANS)


def lower_is_better(name: str) -> bool:
    """Whether a smaller value of a figure of the headline is better."""
    return not LOWER_IS_BETTER.isdisjoint(name.split("."))


def headline_names(attributes: Sequence[str]) -> tuple[str, ...]:
    """The names in the headline of a model with these attributes, in its order."""
    reconstruction = ("tokens", "events", "measures")
    each = [f"{name}.{attribute}" for attribute in attributes for name in ("control", "exact")]
    control = [
        f"{mode}{part}{name}"
        for mode in ("", "guided.")
        for part in ("", "unseen.")
        for name in (*_CONTROL, *(() if part else ("monotone",)), *each)
    ]
    return (
        *METRICS, "mig_of_oracle", "sap_of_oracle", *(f"paper.{name}" for name in METRICS),
        *(f"{part}{name}" for part in ("paper.", "", "unseen.") for name in reconstruction), *control,
        "leakage", *(f"leakage.{name}" for name in attributes), "intervention", "intervention_with",
        "leakage_all", "overlap", *(f"overlap.{name}" for name in attributes), "kl", "valid", "nats",
    )  # fmt: skip


def headline(
    representation: Mapping[str, Figures],
    reconstruction: Mapping[str, Figures],
    figures: Mapping[str, Mapping[str, Mapping[str, Figures]]],
    leakage: Mapping[str, Figures],
    prior: Mapping[str, Figures],
    samples: Figures,
    nats: float,
) -> Figures:
    """The headline as a flat table.

    `control`, `exact`, `monotone` and `overlap` are the figures of the WORST attribute; all others are means over the
    attributes. `NAME.ATTRIBUTE` is the figure of one attribute. The prefix `paper.` stands for the paper's protocol,
    `guided.` for the guided mode, and `unseen.` for measures that the training part does not have. `leakage` is that of
    the best probe. `nats` is the negative log-likelihood of a measure without information about it.
    """
    found = of_encoder(representation)
    found |= {f"paper.{name}": value for name, value in reconstruction["paper's protocol"].items()}
    found |= reconstruction["all"]
    found |= {f"unseen.{name}": value for name, value in reconstruction["unseen"].items()}
    for mode, prefix in (("latent", ""), ("guided", "guided.")):
        for part, mark in (("all", ""), ("unseen", "unseen.")):
            found |= _control_headline(figures[mode][part], prefix + mark)
    found |= of_leakage(leakage)
    for key in ("intervention", "intervention_with"):
        found[key] = mean([each[key] for each in leakage.values()])
    found["leakage_all"] = mean([each["all_others"] for each in leakage.values()])
    return {**found, **of_prior(prior), "valid": samples["valid"], "nats": nats}


def _control_headline(by_attribute: Mapping[str, Figures], prefix: str) -> Figures:
    each = list(by_attribute.values())
    found = {
        f"{prefix}control": _worst([one["rho"] for one in each]),
        f"{prefix}control_mean": mean([one["rho"] for one in each]),
        f"{prefix}exact": _worst([one["exact"] for one in each]),
        f"{prefix}exact_mean": mean([one["exact"] for one in each]),
        f"{prefix}drift": mean([one["drift_rho"] for one in each]),
    }
    for key in _MEANS:
        found[f"{prefix}{key}"] = mean([one[key] for one in each])
    if all("monotone" in one for one in each):
        found[f"{prefix}monotone"] = _worst([one["monotone"] for one in each])
    for name, one in by_attribute.items():
        found |= {f"{prefix}control.{name}": one["rho"], f"{prefix}exact.{name}": one["exact"]}
    return found


def _worst(values: list[float]) -> float:
    """The smallest value; NaN if any could not be measured, or if there are none."""
    return float(np.min(values)) if values else float("nan")


def of_encoder(representation: Mapping[str, Figures]) -> Figures:
    """The figures of the strict protocol, with MIG and SAP also as shares of the oracle's, and, with the prefix
    `paper.`, those of the paper's protocol."""
    strict, oracle = representation["strict"], representation["strict, oracle"]
    found = dict(strict)
    for name in ("mig", "sap"):
        found[f"{name}_of_oracle"] = strict[name] / oracle[name] if oracle[name] > 0 else float("nan")
    return found | {f"paper.{name}": value for name, value in representation["paper's protocol"].items()}


def of_leakage(leakage: Mapping[str, Figures]) -> Figures:
    """For each attribute the R2 of the best probe, 0 if all are worse than predicting the mean; and their mean."""
    worst = {name: _largest([each[kind] for kind in PROBED if kind in each]) for name, each in leakage.items()}
    return {"leakage": mean(list(worst.values())), **{f"leakage.{k}": v for k, v in worst.items()}}


def _largest(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return max(0.0, *known) if known else float("nan")


def of_prior(prior: Mapping[str, Figures]) -> Figures:
    """For each attribute the overlap of its dimension with the prior, the smallest of these, and the mean
    divergence."""
    overlaps = {f"overlap.{name}": each["overlap"] for name, each in prior.items()}
    worst = float(np.min(list(overlaps.values()))) if overlaps else float("nan")
    return {"overlap": worst, **overlaps, "kl": mean([each["kl"] for each in prior.values()])}
