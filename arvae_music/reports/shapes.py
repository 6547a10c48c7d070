"""Pictures as lists of rectangles, lines and texts in pixels, drawn as SVG or PNG.

Both renderers draw the same list, so that SVG and PNG look alike. SVG needs no other library; PNG needs matplotlib,
which is imported when it is made.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from html import escape

INK, SOFT = "#1f2328", "#59636e"
DASH = 3.0


@dataclass(frozen=True)
class Rect:
    x: float
    y: float
    width: float
    height: float
    fill: str | None
    stroke: str | None = None
    dashed: bool = False
    radius: float = 0
    tip: str = ""


@dataclass(frozen=True)
class Stroke:
    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    width: float


@dataclass(frozen=True)
class Text:
    x: float
    y: float  # baseline
    text: str
    size: float
    colour: str = SOFT
    anchor: str = "start"
    bold: bool = False


@dataclass
class Scene:
    """A picture: its shapes in drawing order, in pixels; y grows downwards."""

    width: float
    height: float
    title: str
    shapes: list[Rect | Stroke | Text] = field(default_factory=list)

    def svg(self) -> str:
        """The picture as an SVG document."""
        width, height = _n(self.width), _n(self.height)
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"',
            f'     viewBox="0 0 {width} {height}" role="img" font-family="Helvetica, Arial, sans-serif">',
            f"<title>{_escape(self.title)}</title>",
            *map(_svg_shape, self.shapes),
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def png(self, scale: float) -> bytes:
        """The picture as a PNG file, with `scale` pixels for each of its pixels."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(self.width / 72, self.height / 72), dpi=72 * scale)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, self.width), ylim=(self.height, 0))
        axes.axis("off")
        for order, shape in enumerate(self.shapes):
            _draw(axes, shape, order)
        data = io.BytesIO()
        figure.savefig(data, format="png", metadata={"Software": None})
        return data.getvalue()


# -------------------------------------------------------------------------------------- renderers


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _escape(text: str) -> str:
    """Escape text for XML, which forbids control characters even in escaped form: they become spaces."""
    return escape("".join(c if c.isprintable() else " " for c in text))


def _svg_shape(shape: Rect | Stroke | Text) -> str:
    if isinstance(shape, Text):
        weight = ' font-weight="bold"' if shape.bold else ""
        anchor = "" if shape.anchor == "start" else f' text-anchor="{shape.anchor}"'
        place = f'x="{_n(shape.x)}" y="{_n(shape.y)}" font-size="{_n(shape.size)}" fill="{shape.colour}"'
        return f"<text {place}{anchor}{weight}>{_escape(shape.text)}</text>"
    if isinstance(shape, Stroke):
        ends = f'x1="{_n(shape.x1)}" y1="{_n(shape.y1)}" x2="{_n(shape.x2)}" y2="{_n(shape.y2)}"'
        return f'<line {ends} stroke="{shape.colour}" stroke-width="{_n(shape.width)}"/>'
    place = f'x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" height="{_n(shape.height)}"'
    look = f' fill="{shape.fill or "none"}"'
    look += f' stroke="{shape.stroke}" stroke-width="1.5"' if shape.stroke else ""
    look += f' stroke-dasharray="{_n(DASH)} {_n(DASH * 2 / 3)}"' if shape.dashed else ""
    look += f' rx="{_n(shape.radius)}"' if shape.radius else ""
    tip = f"<title>{_escape(shape.tip)}</title>" if shape.tip else ""
    return f"<rect {place}{look}>{tip}</rect>" if tip else f"<rect {place}{look}/>"


def _draw(axes: object, shape: Rect | Stroke | Text, order: int) -> None:
    """Draw one shape on matplotlib axes whose unit is a pixel of the SVG, which is one point (72 to the inch)."""
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.patches import FancyBboxPatch

    assert isinstance(axes, Axes)
    if isinstance(shape, Text):
        align = "center" if shape.anchor == "middle" else {"start": "left", "end": "right"}[shape.anchor]
        text = "".join(c if c.isprintable() else " " for c in shape.text).replace("$", r"\$")
        weight = "bold" if shape.bold else "normal"
        axes.text(
            shape.x,
            shape.y,
            text,
            fontsize=shape.size,
            color=shape.colour,
            ha=align,
            weight=weight,
            zorder=order,
        )
    elif isinstance(shape, Stroke):
        ends = ([shape.x1, shape.x2], [shape.y1, shape.y2])
        axes.add_line(Line2D(*ends, color=shape.colour, linewidth=shape.width, zorder=order))
    else:
        axes.add_patch(
            FancyBboxPatch(
                (shape.x, shape.y),
                shape.width,
                shape.height,
                boxstyle=f"round,pad=0,rounding_size={min(shape.radius, shape.width / 2)}",
                facecolor=shape.fill or "none",
                edgecolor=shape.stroke or "none",
                linewidth=1.5 if shape.stroke else 0,
                linestyle=(0, (DASH / 1.5, DASH / 2.25)) if shape.dashed else "solid",
                zorder=order,
            )
        )
