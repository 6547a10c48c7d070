"""The pictures of an evaluation's report. Each is a self-contained HTML element with a caption.

    scatters      PNG by matplotlib as data URIs, since they have thousands of points
    piano rolls   inline SVG
    scores        SVG by verovio as data URIs, since the ids of the glyphs would clash inline

matplotlib, music21 and verovio are imported when they are needed. The colours are those of piano_roll.py: orange for
the latent mode, blue for the guided one.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from fractions import Fraction
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array, Floats
from ..evaluation.control import STEPS, Outcome
from ..evaluation.result import Evaluation, Mode
from ..music.attributes import evaluate
from ..music.meter import Meter
from ..music.sliders import describe
from ..music.tokens import FIRST_PITCH, LOWEST, notes_of
from ..networks.decoding import decode
from .engraved import engrave
from .piano_roll import NEW, REMOVED
from .shapes import INK, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..networks.model import Model

Picture = tuple[str, str]  # HTML, caption
COLOURS: dict[Mode, str] = {"latent": REMOVED, "guided": NEW}

DPI = 110
GRID = 17  # points along each side of a decoded plane
CONTEXTS = 8  # measures over which a decoded plane is averaged
EXTENT = 2.5  # half the side of a decoded plane, in sd of the codes
SHOWN = 2  # traversals of each attribute
ENGRAVED = (0, 2, 4, 6, 8)  # the steps of a traversal that are engraved


def sections(result: Evaluation, model: Model) -> list[tuple[str, list[Picture]]]:
    """The headings of the report in order, each with its pictures."""
    engine = model.restricted(model.metadata.carried)
    rolls = [picture for k in range(len(result.attributes)) for picture in traversals(result, engine, k)]
    return [
        ("Requested against realised", [requests(result, engine)]),
        ("Each attribute along its dimension", [along(result, engine)]),
        ("Each attribute over the plane of its dimension and another", [planes(result, engine)]),
        ("Traversals as piano rolls", rolls),
        ("Traversals as scores", scores(result, engine)),
    ]


# ------------------------------------------------------------------------------------- scatters


def requests(result: Evaluation, engine: Model) -> Picture:
    """Requested against realised values: a row of panels for each mode, a panel for each attribute."""
    meter = _meter(result)
    every_outcome = result.evidence.outcomes.items()
    outcomes = {mode: [one.take(one.meters == meter.code) for one in found] for mode, found in every_outcome}
    figure, axes = _panels(len(outcomes), len(result.attributes))
    random = np.random.default_rng(0)
    for k, name in enumerate(result.attributes):
        size, unit = _unit(engine, k, meter)
        both = [found[k] for found in outcomes.values()]
        step = _step(np.concatenate([one.requested for one in both])) / size
        every = np.concatenate([values for one in both for values in (one.requested, one.realised)])
        ends = (float(every.min() / size - step), float(every.max() / size + step))
        for row, (mode, found) in zip(axes, outcomes.items(), strict=True):
            panel, one = row[k], found[k]
            shake = random.uniform(-0.4, 0.4, len(one.requested)) * step
            dots = {"s": 6 if len(shake) < 500 else 3, "alpha": 0.35, "linewidths": 0, "color": COLOURS[mode]}
            panel.plot(ends, ends, color=SOFT, linewidth=0.8)
            panel.scatter(one.requested / size + shake, one.realised / size + shake, **dots)
            panel.set(xlim=ends, ylim=ends)
            panel.set_title(f"{name}, {mode}", fontsize=10, color=INK)
            panel.set_xlabel(f"requested, {unit}")
            panel.set_ylabel(f"realised, {unit}")
    caption = (
        f"Each point is a measure in {meter.name} whose attribute was requested to take the value of another measure. "
        "On the grey line the request is met exactly. A horizontal cloud means that the decoder ignores the code. "
        "Points are jittered along the line by less than a step."
    )
    return _png(figure, "requested against realised attribute values"), caption


def along(result: Evaluation, engine: Model) -> Picture:
    """Values against codes: a panel for each attribute, with the calibration."""
    coded, meter = result.evidence.coded, _meter(result)
    here = coded.inputs[:, 0] == meter.code
    figure, axes = _panels(1, len(result.attributes))
    random = np.random.default_rng(0)
    for k, (panel, scale) in enumerate(zip(axes[0], engine.metadata.scales, strict=True)):
        size, unit = _unit(engine, k, meter)
        codes, values = coded.mean[here, scale.dimension], coded.values[here, k] / size
        jittered = values + random.uniform(-0.3, 0.3, len(values)) * _step(values)
        panel.scatter(codes, jittered, s=5, alpha=0.4, color=NEW, linewidths=0)
        grid = np.linspace(codes.min(), codes.max(), 100)
        panel.plot(grid, scale.value(grid) / size, color=INK, linewidth=1)
        panel.set_title(f"{scale.name}, dimension {scale.dimension}", fontsize=10, color=INK)
        panel.set_xlabel("posterior mean")
        panel.set_ylabel(unit)
    caption = (
        f"Measures in {meter.name} with the codes that the encoder gives them. The line is the calibration that edits "
        "use. The published metrics only measure this relation, which says nothing about the decoder."
    )
    return _png(figure, "attribute values against latent codes"), caption


def planes(result: Evaluation, engine: Model) -> Picture:
    """Two rows of panels: the attribute of encoded measures over a latent plane, and that of points decoded there."""
    coded, meter = result.evidence.coded, _meter(result)
    here = coded.inputs[:, 0] == meter.code
    other = _other_dimension(result)
    figure, axes = _panels(2, len(result.attributes), colour_bars=True)
    for k, scale in enumerate(engine.metadata.scales):
        size, unit = _unit(engine, k, meter)
        x, y = coded.mean[here, scale.dimension], coded.mean[here, other]
        values = coded.values[here, k] / size
        low, high = np.quantile(values, [0.01, 0.99])
        colours = {"cmap": "viridis", "vmin": float(low), "vmax": float(max(high, low + 1e-9))}
        limits = [(float(v.mean() - EXTENT * v.std()), float(v.mean() + EXTENT * v.std())) for v in (x, y)]
        drawn = axes[0][k].scatter(x, y, c=values, s=7, linewidths=0, **colours)
        surface = _surface(result, engine, k, other, limits) / size
        axes[1][k].imshow(surface, origin="lower", extent=(*limits[0], *limits[1]), aspect="auto", **colours)
        for panel, what in ((axes[0][k], "encoded"), (axes[1][k], "decoded")):
            panel.set_title(f"{scale.name}, {what}", fontsize=10, color=INK)
            panel.set(xlim=limits[0], ylim=limits[1])
            panel.set(xlabel=f"dimension {scale.dimension}", ylabel=f"dimension {other}")
            bar = figure.colorbar(drawn, ax=panel, pad=0.02)
            bar.ax.tick_params(labelsize=7, colors=SOFT)
            bar.set_label(unit, fontsize=8, color=SOFT)
    caption = (
        f"The horizontal axis is the attribute's dimension. The vertical axis is dimension {other}, whose codes vary "
        f"most of those without an attribute. The upper row shows measures in {meter.name} where the encoder places "
        "them. The lower row shows the mean attribute of decoded points, whose other dimensions are those of "
        f"{CONTEXTS} measures. If the colours change from left to right, the decoder follows the attribute's code; if "
        "they do not change vertically, it follows this code only."
    )
    return _png(figure, "attribute over a plane of the latent space"), caption


def _other_dimension(result: Evaluation) -> int:
    spread = result.evidence.coded.mean.std(axis=0)
    spread[list(result.dimensions)] = -1
    free = len(spread) > len(result.dimensions)
    return int(spread.argmax()) if free else result.dimensions[-1]


def _surface(
    result: Evaluation, engine: Model, k: int, other: int, limits: Sequence[tuple[float, float]]
) -> Floats:
    """(GRID, GRID) means of the attribute over the decoded contexts; rows are vertical, columns horizontal
    positions."""
    coded, meter = result.evidence.coded, _meter(result)
    here = np.flatnonzero(coded.inputs[:, 0] == meter.code)
    contexts = coded.mean[here[np.linspace(0, len(here) - 1, min(CONTEXTS, len(here))).astype(int)]]
    across, up = (np.linspace(*limit, GRID) for limit in limits)
    z = np.tile(contexts, (GRID * GRID, 1))
    z[:, engine.metadata.scales[k].dimension] = np.repeat(np.tile(across, GRID), len(contexts))
    z[:, other] = np.repeat(np.repeat(up, GRID), len(contexts))
    rows = decode(engine.runtime, z.astype(np.float32), meter)
    values = evaluate(engine.specs[k : k + 1], rows, meter)
    mean: Floats = values.reshape(GRID, GRID, -1).mean(axis=2)
    return mean


def _panels(rows: int, columns: int, colour_bars: bool = False) -> tuple[Figure, Array]:
    from matplotlib.figure import Figure

    width = 3.0 if colour_bars else 2.7
    figure = Figure(figsize=(width * columns, 2.6 * rows), dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for panel in axes.reshape(-1):
        _plain(panel)
    return figure, axes


def _plain(panel: Axes) -> None:
    panel.tick_params(labelsize=8, colors=SOFT)
    panel.xaxis.label.set(fontsize=8, color=SOFT)
    panel.yaxis.label.set(fontsize=8, color=SOFT)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _png(figure: Figure, alt: str) -> str:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": ""})
    return _image("png", stream.getvalue(), alt)


def _image(kind: str, data: bytes, alt: str) -> str:
    return f'<img alt="{escape(alt, quote=True)}" src="data:image/{kind};base64,{base64.b64encode(data).decode()}">'


def _step(values: Floats) -> float:
    """The median distance of neighbouring values, 0 for a single value."""
    gaps = np.diff(np.unique(np.round(values, 9)))
    return float(np.median(gaps)) if len(gaps) else 0.0


def _meter(result: Evaluation) -> Meter:
    """The commonest meter of the evaluated measures."""
    codes, counts = np.unique(result.evidence.coded.inputs[:, 0], return_counts=True)
    return Meter.from_code(int(codes[counts.argmax()]))


def _unit(engine: Model, k: int, meter: Meter) -> tuple[float, str]:
    unit = engine.specs[k].unit
    return unit.size(meter), unit.names[0]


# ------------------------------------------------------------------------------------- traversals

CELL, ROW, LABEL, SIDE = 112, 4.0, 26, 58  # pixels: a measure's width; heights of a semitone, a label; names' width


def traversals(result: Evaluation, engine: Model, k: int) -> list[Picture]:
    """Piano rolls of measures that are moved through the quantiles of attribute k, latent above, guided below."""
    found = []
    for which in _chosen(result, k):
        strips = {mode: _strip(steps[k], which) for mode, steps in result.evidence.steps.items()}
        ends = f"the {STEPS[0]:.0%} to the {STEPS[-1]:.0%} quantile"
        caption = f"{result.attributes[k]}: one measure with requests from {ends}. Requested → realised."
        found.append((_rolls(engine, k, strips), caption))
    return found


def _chosen(result: Evaluation, k: int) -> list[int]:
    """The numbers of the measures to show: those of the commonest meter with the most notes."""
    steps = result.evidence.steps["latent"][k]
    firsts = steps.inputs[:: len(STEPS)]
    busy = (firsts[:, 1:] >= FIRST_PITCH).sum(axis=1) * (firsts[:, 0] == _meter(result).code)
    return sorted(np.argsort(-busy, kind="stable")[:SHOWN].tolist())


def _strip(steps: Outcome, which: int) -> Outcome:
    """The steps of one traversed measure."""
    return steps.take(np.arange(which * len(STEPS), (which + 1) * len(STEPS)))


def _rolls(engine: Model, k: int, strips: dict[Mode, Outcome]) -> str:
    first = next(iter(strips.values()))
    meter = Meter.from_code(int(first.inputs[0, 0]))
    rows = [strip.outputs[:, 1 : 1 + meter.ticks] for strip in strips.values()]
    every = np.concatenate([row[row >= FIRST_PITCH] for row in rows] + [np.array([FIRST_PITCH])])
    pitched = every[:-1] if len(every) > 1 else every
    low, high = int(pitched.min()) - 1, int(pitched.max()) + 1
    height = (high - low + 1) * ROW
    width = SIDE + CELL * (1 + len(STEPS))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {len(strips) * (height + LABEL) + 4:.0f}" '
        f'width="{width}" role="img" style="max-width:100%" font-family="Helvetica, Arial, sans-serif" font-size="10">',
        f"<title>{escape(engine.metadata.names[k])} traversal</title>",
    ]
    for line, (mode, strip) in enumerate(strips.items()):
        top = line * (height + LABEL) + LABEL
        parts.append(f'<text x="0" y="{top + height / 2:.0f}" fill="{SOFT}">{mode}</text>')
        cells = [(strip.inputs[0], "original " + describe(engine.specs[k], strip.before[0, k], meter), SOFT)]
        for asked, got, output in zip(strip.requested, strip.realised, strip.outputs, strict=True):
            text = f"{asked / engine.specs[k].unit.size(meter):.3g} → {describe(engine.specs[k], got, meter)}"
            cells.append((output, text, COLOURS[mode]))
        for i, (packed, text, colour) in enumerate(cells):
            row = packed[1 : 1 + meter.ticks]
            parts += _cell(row, meter, text, colour, (SIDE + i * CELL, top, CELL - 6, height), high)
    return "".join([*parts, "</svg>"])


def _cell(
    row: Array, meter: Meter, text: str, colour: str, box: tuple[float, float, float, float], high: int
) -> list[str]:
    x, y, width, height = box
    scale = width / float(meter.quarters)
    parts = [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="#f6f7f9"/>',
        f'<text x="{x:.1f}" y="{y - 6:.1f}" fill="{INK}">{escape(text)}</text>',
    ]
    for beat in range(1, meter.beats):
        at = x + scale * float(beat * meter.beat_quarters)
        parts.append(f'<path d="M{at:.1f} {y:.1f}v{height:.1f}" stroke="#e2e5e9"/>')
    for start, end, pitch in _sounds(row, meter):
        left, top = x + scale * float(start), y + (high - (pitch - LOWEST + FIRST_PITCH)) * ROW
        length = max(scale * float(end - start) - 1, 1.5)
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{length:.1f}" height="{max(ROW, 3):.1f}" fill="{colour}"/>'
        )
    return parts


def _sounds(row: Array, meter: Meter) -> list[tuple[Fraction, Fraction, int]]:
    """(start, end, normalised pitch) in quarter notes; a note tied into the measure is not in its row."""
    at = meter.tick_quarters
    notes = notes_of([row.astype(np.int16)], 0)
    return [(at[note.tick], at[note.end_tick], note.pitch) for note in notes]


# ------------------------------------------------------------------------------------- scores


def scores(result: Evaluation, engine: Model) -> list[Picture]:
    """Engraved traversals."""
    found = []
    for k, name in enumerate(result.attributes):
        which = _chosen(result, k)[0]
        for mode, steps in result.evidence.steps.items():
            strip = _strip(steps[k], which).take(np.array(ENGRAVED))
            drawn = _engraved(strip, engine, k)
            caption = f"{name}, {mode}: the original, then its edits (requested → realised), in C major or A minor."
            found.append((drawn, caption))
    return found


def _engraved(strip: Outcome, engine: Model, k: int) -> str:
    meter = Meter.from_code(int(strip.inputs[0, 0]))
    size, spec = engine.specs[k].unit.size(meter), engine.specs[k]
    rows = [strip.inputs[0, 1 : 1 + meter.ticks], *strip.outputs[:, 1 : 1 + meter.ticks]]
    texts = [describe(spec, float(strip.before[0, k]), meter)]
    texts += [
        f"{asked / size:.3g} → {got / size:.3g}" for asked, got in zip(strip.requested, strip.realised, strict=True)
    ]
    try:
        xml = _musicxml(rows, texts, meter)
    except Exception as error:  # music21 refuses some of the rhythms that a decoder invents
        why = escape(type(error).__name__)
        return f"<p class='note'>This traversal has a rhythm that cannot be notated ({why}).</p>"
    pages = engrave(xml, pageWidth=2900, scale=38, breaks="none")
    if not pages:
        return "<p class='note'>This traversal cannot be engraved.</p>"
    return _image("svg+xml", pages[0].encode(), f"{spec.name} traversal as a score")


def _musicxml(rows: Sequence[Array], texts: Sequence[str], meter: Meter) -> str:
    music21: Any = import_module("music21")  # its type information is incomplete
    exporter: Any = import_module("music21.musicxml.m21ToXml").GeneralObjectExporter
    part = music21.stream.Part()
    for number, (row, text) in enumerate(zip(rows, texts, strict=True), start=1):
        bar = music21.stream.Measure(number=number)
        if number == 1:
            bar.append([music21.clef.TrebleClef(), music21.meter.TimeSignature(meter.name)])
        label = music21.expressions.TextExpression(text)
        label.placement = "above"
        bar.insert(0, label)
        for start, end, pitch in _elements(row, meter):
            element = music21.note.Rest() if pitch is None else music21.note.Note(pitch)
            if pitch is not None and element.pitch.alter == 0:
                element.pitch.accidental = None  # otherwise every note would have a natural sign
            element.quarterLength = end - start
            bar.insert(start, element)
        part.append(bar)
    score = music21.stream.Score([part.makeNotation()])
    score.metadata = music21.metadata.Metadata(title="")
    xml: str = exporter(score).parse().decode()
    return xml


def _elements(row: Array, meter: Meter) -> list[tuple[Fraction, Fraction, int | None]]:
    """(start, end, pitch) in quarter notes; the pitch of a rest is None."""
    found: list[tuple[Fraction, Fraction, int | None]] = []
    reached = Fraction(0)
    for start, end, pitch in _sounds(row, meter):
        if start > reached:
            found.append((reached, start, None))
        found.append((start, end, pitch))
        reached = end
    if reached < meter.quarters:
        found.append((reached, meter.quarters, None))
    return found
