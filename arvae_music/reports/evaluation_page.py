"""An evaluation as one HTML page: the verdict, the plots, and then the tables with their columns explained."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ..system.extras import need
from .evaluation_tables import Table, explained, tables
from .evaluation_verdict import Finding, verdict

if TYPE_CHECKING:
    from ..evaluation.result import Evaluation
    from ..networks.model import Model

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --soft: #59636e; --line: #d8dee4; --good: #1a7f37;
  --fair: #8a6100; --poor: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171b; --ink: #e6e9ed; --soft: #a0a9b4; --line: #39414b; --good: #57c472; --fair: #e0b040;
    --poor: #ff8a80; }
}
body { font: 15px/1.5 Helvetica, Arial, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1180px; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.4rem; } h3 { font-size: 1rem; }
.facts, figcaption, .note, dl, small { color: var(--soft); }
.verdict { list-style: none; padding: 0; display: grid; gap: .8rem; }
.verdict li { display: grid; grid-template-columns: 3.5rem 1fr; border-left: 4px solid; padding-left: .8rem; }
.verdict b { text-transform: uppercase; font-size: .8rem; padding-top: .15rem; }
.verdict li > div { color: var(--ink); } .verdict p { margin: 0; }
.good { color: var(--good); } .fair { color: var(--fair); } .poor { color: var(--poor); }
figure { margin: 1rem 0 1.6rem; } figcaption { max-width: 75ch; }
figure > img, figure > svg { max-width: 100%; height: auto; background: #fff; }
.wide { overflow-x: auto; }
@media (max-width: 700px) {
  figure { overflow-x: auto; } figure > img, figure > svg { max-width: none; min-width: 44rem; }
  figcaption { position: sticky; left: 0; max-width: calc(100vw - 2rem); }
}
table { border-collapse: collapse; margin: .6rem 0; font-size: .87rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: bold; padding: .3rem 0; }
th, td { padding: .2rem .5rem; text-align: right; border-bottom: 1px solid var(--line); }
td, tbody th { white-space: nowrap; } th:first-child { text-align: left; }
thead th { color: var(--soft); font-weight: normal; vertical-align: bottom; max-width: 7rem; overflow-wrap: normal; }
dl { font-size: .85rem; columns: 22rem auto; column-gap: 2rem; margin: .4rem 0 1rem; }
dl div { break-inside: avoid; } dt { display: inline; font-weight: bold; } dt::after { content: ": "; }
dd { display: inline; margin: 0; }
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
            _html_verdict(verdict(result)),
            *(_html_section(heading, figures) for heading, figures in report_plots.sections(result, model) if figures),
            "<h2>All figures</h2>",
            *(_html_table(table) for table in tables(result) if table.rows),
            "</body>\n</html>\n",
        ]
    )


def _html_verdict(findings: Sequence[Finding]) -> str:
    items = "\n".join(
        f"<li class='{one.level.value}'><b>{one.level.value}</b><div><strong>{escape(one.question)}</strong>"
        f"<p>{escape(one.answer)} <small>({escape(one.bounds)})</small></p></div></li>"
        for one in findings
    )
    note = "An sd is one standard deviation of the attribute in the corpus. The bounds are this project's opinion."
    return f"<h2>Verdict</h2>\n<ul class='verdict'>\n{items}\n</ul>\n<p class='note'>{note}</p>" if findings else ""


def _html_table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in table.rows
    )
    terms = "".join(
        f"<div><dt>{escape(column)}</dt><dd>{escape(text)}</dd></div>" for column, text in explained(table).items()
    )
    note = "".join(f"<p class='note'>{escape(line)}</p>" for line in table.note.splitlines())
    caption = f"<caption>{escape(table.title)}</caption>"
    drawn = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div class='wide'>{drawn}</div>{f'<dl>{terms}</dl>' if terms else ''}{note}"


def _html_section(heading: str, figures: Sequence[tuple[str, str]]) -> str:
    """`figures`: (HTML of a picture, caption)."""
    parts = [f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>" for picture, caption in figures]
    return f"<h2>{escape(heading)}</h2>\n" + "\n".join(parts)
