"""An evaluation as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..system.extras import need
from .evaluation_tables import Table, tables

if TYPE_CHECKING:
    from ..evaluation.result import Evaluation
    from ..networks.model import Model

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


def need_plots() -> None:
    """Raise ExtraError if a page cannot be drawn. Programs call this before the evaluation, which takes minutes."""
    need("report", "a page of an evaluation")


def page(result: Evaluation, model: Model) -> str:
    """The report as one HTML document. Raises ExtraError without the libraries of the extra "report"."""
    need_plots()
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
