"""The tables of an evaluation, as text for any printer. The HTML report is in evaluation_page.py."""

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
    "rho": "rho", "exact": "exact", "error": "error (sd)", "monotone": "monotone",
    "onset_f1": "onset F1", "pitches": "pitches kept", "ticks": "ticks kept",
    "drift_rho": "drift |rho|", "drift_plain": "with chance", "drift_sd": "drift (sd)",
    "mlp": "MLP", "boosting": "boosting", "mlp_crossed": "MLP, crossed", "boosting_crossed": "boosting, crossed",
    "all_others": "all others", "intervention": "intervention", "intervention_with": "intervention, correlated",
    "overlap": "overlap", "kl": "KL", "mean": "mean", "sd": "sd",
    "valid": "valid", "distinct": "distinct", "new": "new", "in_key": "in key", "corpus_in_key": "corpus in key",
}  # fmt: skip
EXPLAINED = {  # the keys of NAMES
    "interpretability": "R2 of a linear regression of the attribute on its dimension",
    "modularity": "whether a dimension informs about one attribute only",
    "mig": "mutual information gap between an attribute's dimension and the next best one",
    "sap": "the same gap in R2 of linear regressions",
    "scc": "rank correlation of an attribute with its dimension (Spearman)",
    "tokens": "share of the time steps that are reproduced",
    "events": "share of the notes and rests that are reproduced",
    "measures": "share of the measures that are reproduced completely",
    "rho": "rank correlation of requested and achieved values (Spearman)",
    "exact": "share of the requests that are met exactly",
    "error": "mean distance between request and result, in sd",
    "monotone": "rank correlation along a traversal, in which one measure gets rising requests",
    "onset_f1": "how many note onsets of the measure an edit keeps, as an F1 score",
    "pitches": "share of the pitches of the measure that an edit keeps",
    "ticks": "share of the time steps of the measure that an edit keeps",
    "drift_rho": "rank correlation of requests with the other attributes, without chance",
    "drift_plain": "the same with chance",
    "drift_sd": "mean change of the other attributes, in sd",
    "mlp": "R2 of a neural network as the probe",
    "boosting": "R2 of boosted trees as the probe",
    "mlp_crossed": "the network, fitted and tested on tunes of this part",
    "boosting_crossed": "the trees, fitted and tested on tunes of this part",
    "all_others": "R2 from all dimensions but the attribute's own",
    "intervention": "share of the attribute's variance that its own code does not control",
    "intervention_with": "the same when codes of correlated attributes move along",
    "overlap": "overlap of the codes with a normal distribution, from 0 to 1",
    "kl": "divergence of the codes from a normal distribution, in nats",
    "mean": "mean of the codes",
    "sd": "standard deviation of the codes",
    "valid": "share of the samples that are valid measures",
    "distinct": "share of different measures among the samples",
    "new": "share that the training part does not have",
    "in_key": "share of the notes in the key",
    "corpus_in_key": "the same in the corpus",
}
_CONTROL = ("rho", "exact", "error", "monotone", "onset_f1", "pitches", "ticks", "drift_rho", "drift_plain", "drift_sd")
_UNSEEN = ("rho", "exact")
_ROWS = {"drawn": "from a sampled code"}  # rows of an evaluation -> the text that stands for them
ORACLE = "oracle: the score of latents equal to the attributes; an upper bound when attributes are correlated."
STRICT = (
    "strict: scores the dimension that was regularised for the attribute, at the posterior mean. The paper's protocol "
    "scores the dimension that informs most about it, on sampled codes."
)
OWN = ("paper's protocol", "strict")  # the rows of the encoder's own dimensions
GIVEN = "given"  # instead of a metric of codes that are computed from the values
CONDITIONAL = (
    "given: the decoder gets codes that are computed from the attribute values, so that these metrics hold by "
    "construction and are not reported."
)
_DRIFT = (
    "Drift: how far the other attributes move. Only attributes whose correlation with the edited one is below 0.5 are "
    "counted. `drift |rho|` is corrected for chance correlation; `with chance` is not. An sd is one standard deviation "
    "of the attribute in the corpus."
)
_KEPT = (
    "onset F1, pitches kept, ticks kept: how much of the measure an edit keeps, from 0 to 1. A tick is a time step of "
    "the grid."
)
_LEAKAGE = (
    "Leakage: R2 of a model that predicts an attribute from the latent dimensions that are not regularised, as the "
    "decoder gets them. `all others`: from all dimensions but the attribute's own, also those of correlated "
    "attributes. `crossed`, and `all others`: fitted and tested on different tunes of this part; otherwise fitted on "
    "training tunes. `intervention`: share of the attribute's variance that its own code does not control. "
    "`intervention, correlated`: the same, when the codes of correlated attributes move along."
)


@dataclass(frozen=True)
class Table:
    title: str
    columns: tuple[str, ...]  # the first heads the rows' names
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def heading(result: Evaluation) -> str:
    """What was evaluated, on which measures."""
    about, counts = result.about, result.counts
    measures = f"{counts['evaluated']} distinct measures, {counts['unseen']} of them not in training"
    return f"{about['model']} ({about['digest']}) on {about['corpus']}, {about['part']}: {measures}"


def tables(result: Evaluation) -> list[Table]:
    """All figures of an evaluation, as text."""
    found = [_representation(result), _reconstruction(result)]
    for mode in result.control:
        found += [_control(result, mode), _drift(result, mode)]
    return [*found, _leakage(result), _prior(result), _samples(result)]


def explained(table: Table) -> dict[str, str]:
    """What the columns of a table mean, by their headings, for those that need words."""
    texts = {heading: EXPLAINED[key] for key, heading in NAMES.items()}
    texts |= {f"unseen {heading}": f"{heading} of measures that are not in training" for heading in NAMES.values()}
    return {column: texts[column] for column in table.columns if column in texts}


def _table(title: str, rows: Mapping[str, Mapping[str, float | str]], columns: Sequence[str], note: str = "") -> Table:
    cells = tuple(
        (_ROWS.get(name, name), *(_cell(row.get(column)) for column in columns)) for name, row in rows.items()
    )
    return Table(title, ("", *(NAMES[column] for column in columns)), cells, note)


def _cell(value: float | str | None) -> str:
    return value if isinstance(value, str) else number(value)


def number(value: float | None) -> str:
    """Three decimals; a dash for a value that could not be measured (NaN), an empty text for None."""
    if value is None:
        return ""
    return f"{value:.3f}" if value == value else "-"


def _representation(result: Evaluation) -> Table:
    rows: dict[str, dict[str, float | str]] = {row: dict(figures) for row, figures in result.representation.items()}
    if result.given:
        for row in OWN:
            rows[row] = dict.fromkeys(METRICS, GIVEN)
    for row, part in (("paper's protocol", "paper's protocol"), ("strict", "all")):
        rows[row]["tokens"] = result.reconstruction[part]["tokens"]
    known = PUBLISHED.get(str(result.about.get("corpus")), {})
    return _table(
        "Attributes in the latent space",
        rows | {name: dict(figures) for name, figures in known.items()},
        (*METRICS, "tokens"),
        "\n".join((ORACLE, STRICT, *([CONDITIONAL] if result.given else ()))),
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
    note = f"{_DRIFT}\n{_KEPT}"
    if mode == "latent":
        others = "; ".join(f"{name} {figures['rho']:.3f}" for name, figures in PUBLISHED_CONTROL.items())
        note += f"\nFor orientation, rho published by others on other data: {others}"
    return Table(f"Control, {mode}", columns, cells, note)


def _drift(result: Evaluation, mode: str) -> Table:
    """How far every other attribute moves when one is edited: |rho| / sd."""
    rows = []
    for asked, figures in result.control[mode]["all"].items():
        cells = [asked]
        for other in result.attributes:
            pair = [number(figures.get(f"{key}.{other}")) for key in ("drift_rho", "drift_sd")]
            cells.append("" if other == asked else " / ".join(pair))
        rows.append(tuple(cells))
    title = f"Drift, {mode}: |rho| / sd of each attribute when another is edited"
    return Table(title, ("edited", *result.attributes), tuple(rows))


def _leakage(result: Evaluation) -> Table:
    return _table(
        "Leakage",
        _with_mean(result.leakage),
        (*PROBED, "all_others", "intervention", "intervention_with"),
        _LEAKAGE,
    )


def _prior(result: Evaluation) -> Table:
    return _table("Distribution of the codes, compared with N(0, 1)", result.prior, ("overlap", "kl", "mean", "sd"))


def _samples(result: Evaluation) -> Table:
    columns = ("valid", "distinct", "new", "in_key", "corpus_in_key")
    return _table("Decoded prior samples", {"share": result.samples}, columns)
