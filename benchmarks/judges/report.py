"""The report of a run: tables in Markdown for people, all figures with their intervals in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .tables import Cell, Figure, difference, drawn_tunes, markdown, mean, plain, quotient

TASKS = {
    "fourth": "Every fourth measure, between original neighbours",
    "every": "Every measure",
    "mean": "The mean of the tune",
    "chords": "Chords in the other tracks, every measure",
}
# From the name of a figure to its head in the tables.
MAIN = {
    "exact": "met", "exact_mean": "mean met", "onsets_kept": "onsets kept", "curve": "pitch curve",
    "identical": "unchanged", "matched": "matched", "auc": "AUC",
    "auc_inside": "AUC inside", "ngram": "bits n-gram", "gru": "bits GRU",
}  # fmt: skip
PHRASES = {
    "pickup": "pickup silence", "final": "final note", "ends": "phrase ends", "leaps": "leaps", "loose": "unresolved",
    "off_grid": "off grid", "accidentals": "accidentals",
}  # fmt: skip
CHORDS = {
    "chord tones, own": "chord tones, own", "chord tones, new": "new", "clashes, own": "clashes, own",
    "clashes, new": "new ",
}  # fmt: skip
PER_HUNDRED = ("leaps", "loose", "off_grid", "accidentals")  # notes
COMPARED = ("ngram", "gru", "auc")  # figures of which the first engine is compared with each other


@dataclass
class Report:
    """`cells` by task, request and engine."""

    title: str
    facts: Mapping[str, Any]
    seed: int
    cells: dict[tuple[str, str, str], Cell] = field(default_factory=dict)

    def of(self, task: str, engine: str, request: str | None = None) -> list[Cell]:
        """The cells of an engine, for one request or for all in order."""
        return [
            cell
            for (own, asked, name), cell in self.cells.items()
            if own == task and name == engine and request in (None, asked)
        ]

    def _keys(self, part: int, task: str | None = None) -> list[str]:
        return list(dict.fromkeys(key[part] for key in self.cells if task in (None, key[0])))

    def figures(self, task: str, engine: str, request: str | None = None) -> dict[str, Figure]:
        """All figures of an engine, each with its interval; with `/` those after the edit divided by those before."""
        cells = self.of(task, engine, request)
        draws = drawn_tunes(cells[0].tunes, self.seed, cells[0].copies)
        names = list(dict.fromkeys(name for cell in cells for name in cell.names))
        found = {name: mean(cells, name, draws) for name in names}
        for name in names:
            if f"{name}_before" in names:
                found[f"{name}/before"] = quotient(cells, name, f"{name}_before", draws)
        return found

    def markdown(self) -> str:
        parts = [f"# {self.title}", "\n".join(f"- {name}: {value}" for name, value in self.facts.items())]
        for task in self._keys(0):
            parts += self._chords(task) if task == "chords" else self._task(task)
        return "\n\n".join(parts) + "\n"

    def _task(self, task: str) -> list[str]:
        engines, requests = self._keys(2, task), self._keys(1, task)
        by_engine = {engine: self.figures(task, engine) for engine in engines}
        parts = [f"## {TASKS[task]}", f"Means over the requests {', '.join(requests)}."]
        parts.append(
            markdown(["engine", *MAIN.values(), "ms a measure"], [self._main(task, e, f) for e, f in by_engine.items()])
        )
        parts.append("Kept, and for each hundred notes, before the edit -> after it:")
        parts.append(markdown(["engine", *PHRASES.values()], [_phrase_row(e, f) for e, f in by_engine.items()]))
        for name, head in (("auc", "AUC"), ("ngram", "Bits a note, n-gram, divided by those before"),
                           ("gru", "Bits a note, GRU, divided by those before"), ("exact", "Request met"),
                           ("curve", "Pitch curve")):  # fmt: skip
            if all(name in figures for figures in by_engine.values()):
                parts += [f"{head}:", self._by_request(task, name, engines, requests)]
        if len(engines) > 1:
            parts += [f"{engines[0]} minus the others, with the interval of 95%:", self._compared(task, engines)]
        return parts

    def _main(self, task: str, engine: str, figures: Mapping[str, Figure]) -> list[str]:
        row = [engine]
        for name in MAIN:
            figure = figures.get(name)
            before = figures.get(f"{name}_before")
            row.append("-" if figure is None else f"{before} -> {figure}" if before is not None else str(figure))
        seconds = np.mean([cell.seconds for cell in self.of(task, engine)])
        return [*row, f"{1000 * seconds:.1f}"]

    def _by_request(self, task: str, name: str, engines: Sequence[str], requests: Sequence[str]) -> str:
        rows = []
        for request in requests:
            found = [self.figures(task, engine, request) for engine in engines]
            shown = [figures.get(f"{name}/before", figures[name]) for figures in found]
            rows.append([request, *(f"{one} ({one.low:.2f} - {one.high:.2f})" for one in shown)])
        return markdown(["request", *engines], rows)

    def compared(self, task: str, engines: Sequence[str]) -> dict[str, dict[str, Figure]]:
        """How much larger each figure of COMPARED is for the first engine than for each of the others."""
        first = self.of(task, engines[0])
        draws = drawn_tunes(first[0].tunes, self.seed, first[0].copies)
        names = [name for name in COMPARED if name in first[0].names]
        return {
            other: {name: difference(first, self.of(task, other), name, draws) for name in names}
            for other in engines[1:]
        }

    def _compared(self, task: str, engines: Sequence[str]) -> str:
        found = self.compared(task, engines)
        names = list(next(iter(found.values())))
        rows = [
            [other, *(f"{f.value:+.3f} ({f.low:+.3f} - {f.high:+.3f})" for f in (figures[n] for n in names))]
            for other, figures in found.items()
        ]
        return markdown(["other", *(MAIN[name] for name in names)], rows)

    def _chords(self, task: str) -> list[str]:
        rows = []
        for engine in self._keys(2, task):
            figures = self.figures(task, engine)
            rows.append([engine, *(str(figures[name]) if name in figures else "-" for name in CHORDS)])
        count = next(cell.tunes for key, cell in self.cells.items() if key[0] == task)
        return [f"## {TASKS[task]}", f"{count} songs.", markdown(["engine", *CHORDS.values()], rows)]

    def json(self) -> str:
        body: dict[str, Any] = {"title": self.title, "facts": dict(self.facts), "figures": {}, "differences": {}}
        for task in self._keys(0):
            engines = self._keys(2, task)
            of_task = body["figures"].setdefault(task, {})
            for engine in engines:
                of_task[engine] = {"all": plain(self.figures(task, engine))}
                for request in self._keys(1, task):
                    of_task[engine][request] = plain(self.figures(task, engine, request))
            if task != "chords" and len(engines) > 1:
                found = self.compared(task, engines)
                body["differences"][task] = {f"{engines[0]} - {other}": plain(f) for other, f in found.items()}
        return json.dumps(body, indent=1)


def _phrase_row(engine: str, figures: Mapping[str, Figure]) -> list[str]:
    row = [engine]
    for name in PHRASES:
        figure, before = figures[name], figures.get(f"{name}_before")
        if name in PER_HUNDRED and before is not None:
            row.append(f"{100 * before.value:.2f} -> {100 * figure.value:.2f}")
        else:
            row.append(str(figure))
    return row
