"""An evaluation for people: `tables` for any printer, `page` as one HTML file with everything in it.

The page needs no network and no other file: pictures are embedded. Each says in a caption what a good model would
show, since that is not obvious: a cloud along a diagonal is a slider that works, the same colours from left to right in
every row of a plane are a decoder that listens to its slider alone. Its pictures are in report_plots.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from ..evaluation.evaluate import METRICS, PUBLISHED, PUBLISHED_CONTROL, Evaluation
from ..evaluation.sections import PROBED

if TYPE_CHECKING:
    from ..library import Model

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
    from ..vae.statistics import mean

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


# ---------------------------------------------------------------------------------------- the page

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 Helvetica, Arial, sans-serif; color: #1f2328; background: #fff;
  max-width: 1120px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.4rem; } h3 { font-size: 1rem; }
.facts, figcaption, .note { color: #59636e; } figure { margin: 1rem 0 1.6rem; } figcaption { max-width: 75ch; }
img { max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: bold; padding: .3rem 0; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #e2e5e9; white-space: nowrap; }
th:first-child { text-align: left; } thead th { color: #59636e; font-weight: normal; }
"""


def page(result: Evaluation, model: Model) -> str:
    """The report as one HTML document."""
    from . import evaluation_plots as report_plots

    about, counts = result.about, result.counts
    title = f"{about.get('model', 'A model')} on {about.get('corpus', 'its corpus')}"
    facts = [
        f"part {about.get('part', '')}",
        f"{counts['evaluated']} distinct measures, {counts['unseen']} of them not in training",
        f"digest {about.get('digest', '')}",
        f"{sum(result.seconds.values()):.0f} s",
    ]
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
            f"<h1>{escape(title)}</h1>\n<p class='facts'>{escape(' · '.join(facts))}</p>",
            "<h2>Figures</h2>",
            *map(_html_table, tables(result)),
            *(_html_section(heading, figures) for heading, figures in report_plots.sections(result, model)),
            "</body>\n</html>\n",
        ]
    )


def _html_table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in table.rows
    )
    note = "".join(f"<p class='note'>{escape(line)}</p>" for line in table.note.splitlines())
    caption = f"<caption>{escape(table.title)}</caption>"
    return f"<div class='wide'><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{note}"


def _html_section(heading: str, figures: Sequence[tuple[str, str]]) -> str:
    """`figures`: (HTML of a picture, caption)."""
    parts = [f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>" for picture, caption in figures]
    return f"<h2>{escape(heading)}</h2>\n" + "\n".join(parts)
