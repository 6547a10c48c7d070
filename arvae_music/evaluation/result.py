"""The result of an evaluation of measures: what the tables, the plots, the JSON and thresholds read.

Shapes: n measures, k attributes, z dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from ..arrays import Floats, Ints, Mask, Rows
from .published import METRICS, PUBLISHED, PUBLISHED_CONTROL
from .sections import Figures

if TYPE_CHECKING:
    from ..networks.context_runtime import Contexts
    from .control import Outcome

Mode = Literal["latent", "guided"]
_IN_REPR = ("measures", "control", "guided.exact_mean", "drift", "leakage")  # figures of the headline in the short repr


@dataclass(frozen=True, eq=False)
class Coded:
    """Distinct measures with their posteriors."""

    inputs: Rows  # (n, 1 + width)
    values: Floats  # (n, k)
    mean: Floats  # (n, z)
    log_variance: Floats  # (n, z)
    pieces: Ints  # (n,)
    count: Ints  # (n,) how often each measure occurs
    seen: Mask  # (n,) whether the training part contains it
    contexts: Contexts | None = None  # of each measure's first occurrence, for a model in context


@dataclass(frozen=True, eq=False)
class Evidence:
    """The data behind the plots; not part of the JSON."""

    coded: Coded
    outcomes: Mapping[Mode, tuple[Outcome, ...]]  # by attribute
    steps: Mapping[Mode, tuple[Outcome, ...]]


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Ordered name -> value mappings; NaN where there was nothing to measure."""

    # what was evaluated
    about: Mapping[str, Any]
    attributes: tuple[str, ...]
    dimensions: tuple[int, ...]
    given: tuple[str, ...]  # the attributes whose codes are computed from the values and given to the decoder
    counts: Mapping[str, int]
    # what was found
    representation: Mapping[str, Figures]  # row -> metric -> mean over attributes
    by_attribute: Mapping[str, Mapping[str, Figures]]  # row -> metric -> attribute
    reconstruction: Mapping[str, Figures]  # all, unseen
    control: Mapping[str, Mapping[str, Mapping[str, Figures]]]  # mode -> all, unseen -> attribute
    leakage: Mapping[str, Figures]  # attribute
    prior: Mapping[str, Figures]  # attribute
    samples: Figures
    headline: Figures
    seconds: Figures
    evidence: Evidence

    @property
    def published(self) -> dict[str, Figures]:
        """Figures that others have published: rows of representation, in the paper's protocol, and of control."""
        return {**PUBLISHED.get(str(self.about.get("corpus")), {}), **PUBLISHED_CONTROL}

    def to_json(self) -> dict[str, Any]:
        fields = {name: value for name, value in vars(self).items() if name != "evidence"}
        return {**fields, "published": self.published}

    def __repr__(self) -> str:
        return short_repr(self.about, self.headline, _IN_REPR)

    def _repr_html_(self) -> str:
        """The paper's metrics as a table, for notebooks."""
        known = PUBLISHED.get(str(self.about.get("corpus")), {})
        return metrics_table(title(self.about), {**self.representation, **known})


def title(about: Mapping[str, Any]) -> str:
    """`bach on bach, test`."""
    return f"{about.get('model', 'a model')} on {about.get('corpus', 'its corpus')}, {about.get('part', 'a part')}"


def short_repr(about: Mapping[str, Any], headline: Figures, names: Sequence[str]) -> str:
    """One line with a few figures of the headline."""
    figures = ", ".join(f"{name} {headline[name]:.3f}" for name in names if name in headline)
    return f"<Evaluation of {title(about)}: {figures}>"


def metrics_table(caption: str, rows: Mapping[str, Figures]) -> str:
    """Row -> metric -> value, as an HTML table of the paper's metrics with three decimals."""
    head = "".join(f"<th>{escape(text)}</th>" for text in ("", *METRICS))
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{row[metric]:.3f}</td>' for metric in METRICS)}</tr>"
        for name, row in rows.items()
    )
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"
