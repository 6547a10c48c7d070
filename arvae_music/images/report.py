"""The tables of an evaluation of a model of images, as text that a terminal or a page can print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..evaluation.published import METRICS
from ..reports.evaluation_tables import ORACLE, STRICT, Table, number
from .evaluation import PUBLISHED, Evaluation

Figures = Mapping[str, float]

NAMES = {
    "interpretability": "Interpretability", "modularity": "Modularity", "mig": "MIG", "sap": "SAP", "scc": "SCC",
    "pixels": "pixels", "images": "whole images", "kept": "same digit", "rho": "rho", "error": "error (sd)",
    "drift_rho": "drift |rho|", "drift_sd": "drift (sd)", "mlp": "MLP", "boosting": "boosting", "overlap": "overlap",
    "kl": "KL", "mean": "mean", "sd": "sd",
}  # fmt: skip


def heading(result: Evaluation) -> str:
    """What was evaluated, on which images."""
    about = result.about
    images = f"{result.counts['evaluated']:,} images of {about['data']}"
    return f"{about['model']} ({about['digest']}) on {about['corpus']}, {about['part']}: {images}"


def tables(result: Evaluation) -> list[Table]:
    """All figures of an evaluation, as text."""
    found = [_representation(result), _by_attribute(result), _control(result)]
    if result.digits:
        found.append(_digits(result))
    title = "Leakage: R2 of a model that predicts an attribute from the other latent dimensions"
    leakage = _table(title, result.leakage, ("mlp", "boosting"))
    columns = ("overlap", "kl", "mean", "sd")
    return [*found, leakage, _table("Distribution of the codes, compared with N(0, 1)", result.prior, columns)]


def _table(title: str, rows: Mapping[str, Figures], columns: Sequence[str], note: str = "") -> Table:
    cells = tuple((name, *(number(row.get(column)) for column in columns)) for name, row in rows.items())
    return Table(title, ("", *(NAMES.get(column, column) for column in columns)), cells, note)


def _representation(result: Evaluation) -> Table:
    rows = {row: dict(figures) for row, figures in result.representation.items()}
    rows["paper's protocol"] |= {"pixels": result.reconstruction["pixels"], **_kept(result)}
    columns = (*METRICS, "pixels", *(("kept",) if result.digits else ()))
    known = PUBLISHED.get(str(result.about.get("corpus")), {})
    rows |= {name: dict(figures) for name, figures in known.items()}
    cells = tuple(
        (name, *(f"{row[c]:.4f}" if c == "pixels" and c in row else number(row.get(c)) for c in columns))
        for name, row in rows.items()
    )
    note = (
        f"{ORACLE}\n{STRICT}\n"
        "Published figures: medians of ten seeds, 100 epochs each, on all images of MNIST and dSprites."
    )
    return Table("Attributes in the latent space", ("", *(NAMES[column] for column in columns)), cells, note)


def _kept(result: Evaluation) -> Figures:
    return {"kept": result.digits["kept"]} if result.digits else {}


def _by_attribute(result: Evaluation) -> Table:
    each = result.by_attribute["paper's protocol"]
    rows = {name: {metric: each[metric][name] for metric in each} for name in result.attributes}
    return _table("By attribute, in the paper's protocol", rows, [metric for metric in METRICS if metric in each])


def _control(result: Evaluation) -> Table:
    return _table(
        "Control: the attribute measured after its code moved to another image's value",
        result.control,
        ("rho", "error", "drift_rho", "drift_sd"),
    )


def _digits(result: Evaluation) -> Table:
    kept = {f"traversed along {name}": {"kept": result.digits[f"kept.{name}"]} for name in result.attributes}
    rows = {
        "images": {"kept": result.digits["inputs"]},
        "reconstructions": {"kept": result.digits["reconstructions"]},
    }
    rows |= {**kept, "all traversals": dict(_kept(result))}
    return _table("Share of digits that a classifier recognises", rows, ("kept",))
