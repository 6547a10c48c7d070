"""An evaluation for people: `tables` for any printer, `page` as one HTML file with everything in it.

The page needs no network and no other file: pictures are embedded. Each says in a caption what a good model would
show, since that is not obvious: a cloud along a diagonal is a slider that works, the same colours from left to right in
every row of a plane are a decoder that listens to its slider alone. Its pictures are in report_plots.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..evaluation.published import METRICS, PUBLISHED, PUBLISHED_CONTROL
from ..evaluation.sections import PROBED
from ..vae.statistics import mean

if TYPE_CHECKING:
    from ..evaluation.result import Evaluation

Figures = Mapping[str, float]

NAMES = {
    "interpretability": "Interpretability", "modularity": "Modularity", "mig": "MIG", "sap": "SAP", "scc": "SCC",
    "tokens": "tokens", "events": "events", "measures": "measures",
    "rho": "rho", "exact": "exact", "error": "error sd", "monotone": "monotone",
    "onset_f1": "onset F1", "pitches": "pitches", "ticks": "ticks",
    "drift_rho": "drift |rho|", "drift_plain": "with chance", "drift_sd": "drift sd",
    "mlp": "MLP", "boosting": "boosting", "mlp_crossed": "MLP, crossed", "boosting_crossed": "boosting, crossed",
    "intervention": "interv.", "intervention_with": "interv. with",
    "overlap": "overlap", "kl": "KL", "mean": "mean", "sd": "sd",
    "valid": "valid", "distinct": "distinct", "new": "new", "in_key": "in key", "corpus_in_key": "corpus in key",
}  # fmt: skip
_CONTROL = ("rho", "exact", "error", "monotone", "onset_f1", "pitches", "ticks", "drift_rho", "drift_plain", "drift_sd")
_UNSEEN = ("rho", "exact")


@dataclass(frozen=True)
class Table:
    title: str
    columns: tuple[str, ...]  # the first heads the rows' names
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def tables(result: Evaluation) -> list[Table]:
    """All figures of an evaluation, as text."""
    found = [_representation(result), _reconstruction(result)]
    for mode in result.control:
        found += [_control(result, mode), _drift(result, mode)]
    return [*found, _leakage(result), _prior(result), _samples(result)]


def _table(title: str, rows: Mapping[str, Figures], columns: Sequence[str], note: str = "") -> Table:
    cells = tuple((name, *(number(row.get(column)) for column in columns)) for name, row in rows.items())
    return Table(title, ("", *(NAMES[column] for column in columns)), cells, note)


def number(value: float | None) -> str:
    """Three decimals; a dash for what could not be measured, nothing for what is not there."""
    if value is None:
        return ""
    return f"{value:.3f}" if value == value else "-"


def _representation(result: Evaluation) -> Table:
    rows = {row: dict(figures) for row, figures in result.representation.items()}
    for row, part in (("paper's protocol", "paper's protocol"), ("strict", "all")):
        rows[row]["tokens"] = result.reconstruction[part]["tokens"]
    known = PUBLISHED.get(str(result.about.get("corpus")), {})
    return _table(
        "Attributes in the latent space",
        {**rows, **known},
        (*METRICS, "tokens"),
        "oracle: latents that ARE the attributes, on the same measures; what correlated attributes leave to be had",
    )


def _reconstruction(result: Evaluation) -> Table:
    return _table("Reconstruction", result.reconstruction, ("tokens", "events", "measures"))


def _with_mean(rows: Mapping[str, Figures]) -> dict[str, Figures]:
    columns = list(next(iter(rows.values()), {}))
    means = {column: mean([row.get(column, float("nan")) for row in rows.values()]) for column in columns}
    return {**rows, "mean": means}


def _control(result: Evaluation, mode: str) -> Table:
    rows, fresh = _with_mean(result.control[mode]["all"]), _with_mean(result.control[mode]["unseen"])
    cells = tuple(
        (name, *(number(row.get(c)) for c in _CONTROL), *(number(fresh[name].get(c)) for c in _UNSEEN))
        for name, row in rows.items()
    )
    columns = ("", *(NAMES[c] for c in _CONTROL), *(f"unseen {NAMES[c]}" for c in _UNSEEN))
    note = (
        "drift: of the attributes that correlate by less than .5 with the one that is asked for; |rho| less what the "
        "request happens to have in common with the other's value before, and with it"
    )
    if mode == "latent":
        others = "; ".join(f"{name} {figures['rho']:.3f}" for name, figures in PUBLISHED_CONTROL.items())
        note += f"\nelsewhere, other attributes and data: {others}"
    return Table(f"Control, {mode}", columns, cells, note)


def _drift(result: Evaluation, mode: str) -> Table:
    """|rho| / sd of every attribute when another is asked for."""
    rows = []
    for asked, figures in result.control[mode]["all"].items():
        cells = [asked]
        for other in result.attributes:
            pair = [number(figures.get(f"{key}.{other}")) for key in ("drift_rho", "drift_sd")]
            cells.append("" if other == asked else " / ".join(pair))
        rows.append(tuple(cells))
    return Table(f"Drift, {mode}: |rho| / sd", ("asked", *result.attributes), tuple(rows))


def _leakage(result: Evaluation) -> Table:
    return _table(
        "Leakage",
        _with_mean(result.leakage),
        (*PROBED, "intervention", "intervention_with"),
        "R2 of probes from the dimensions that carry no attribute, fitted on training measures, and crossed, on other "
        "tunes of this part; 1 - Var(E[a | code]) / Var(a), by its own code "
        "alone, and with those that move along",
    )


def _prior(result: Evaluation) -> Table:
    return _table("Codes against N(0, 1)", result.prior, ("overlap", "kl", "mean", "sd"))


def _samples(result: Evaluation) -> Table:
    columns = ("valid", "distinct", "new", "in_key", "corpus_in_key")
    return _table("Decoded prior samples", {"share": result.samples}, columns)
