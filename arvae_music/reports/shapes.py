"""Pictures as lists of rectangles, lines and texts in pixels, drawn as SVG or PNG.

Both renderers draw the same list, so that SVG and PNG look alike. SVG needs no other library. Pillow makes the PNG; it
is imported when it is needed, and draws in bands, so that the picture of a long piece needs little memory.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

INK, SOFT = "#1f2328", "#59636e"
# pixels
OUTLINE = 1.5  # width of a rectangle's outline
DASH = 3.0
SPACE = 2.0  # between dashes
# of a PNG
BAND = 256  # rows that are drawn at a time
FINER = 3  # pixels drawn for each pixel across and down, whose mean it gets


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
        from PIL import Image

        width, height = round(self.width * scale), round(self.height * scale)
        whole = Image.new("RGB", (width, height), "white")
        for top in range(0, height, BAND):
            rows = min(BAND, height - top)
            band = Image.new("RGB", (width * FINER, rows * FINER), "white")
            pen = _Pen(band, scale * FINER, top / scale)
            for shape in self.shapes:
                if pen.reaches(shape):
                    pen.draw(shape)
            whole.paste(band.reduce(FINER), (0, top))
        data = io.BytesIO()
        whole.save(data, format="PNG")
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
    look += f' stroke="{shape.stroke}" stroke-width="{_n(OUTLINE)}"' if shape.stroke else ""
    look += f' stroke-dasharray="{_n(DASH)} {_n(SPACE)}"' if shape.dashed else ""
    look += f' rx="{_n(shape.radius)}"' if shape.radius else ""
    tip = f"<title>{_escape(shape.tip)}</title>" if shape.tip else ""
    return f"<rect {place}{look}>{tip}</rect>" if tip else f"<rect {place}{look}/>"


class _Pen:
    """Draws shapes with Pillow on a band of the picture that begins at `top`, with `scale` pixels for each of the
    picture's pixels."""

    def __init__(self, band: PillowImage, scale: float, top: float) -> None:
        from PIL import ImageDraw

        self.canvas = ImageDraw.Draw(band)
        self.scale, self.top, self.bottom = scale, top, top + band.height / scale

    def reaches(self, shape: Rect | Stroke | Text) -> bool:
        """Whether the band may have a part of the shape."""
        if isinstance(shape, Text):
            low, high = shape.y - 2 * shape.size, shape.y + shape.size
        elif isinstance(shape, Stroke):
            low, high = min(shape.y1, shape.y2) - shape.width, max(shape.y1, shape.y2) + shape.width
        else:
            low, high = shape.y - OUTLINE, shape.y + shape.height + OUTLINE
        return low < self.bottom and high > self.top

    def draw(self, shape: Rect | Stroke | Text) -> None:
        if isinstance(shape, Text):
            text = "".join(c if c.isprintable() else " " for c in shape.text)
            font = _font(shape.bold, shape.size * self.scale)
            anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
            self.canvas.text(self._at(shape.x, shape.y), text, fill=shape.colour, font=font, anchor=anchor)
        elif isinstance(shape, Stroke):
            self._line(shape.x1, shape.y1, shape.x2, shape.y2, shape.colour, shape.width)
        else:
            self._rect(shape)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return x * self.scale, (y - self.top) * self.scale

    def _line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> None:
        self.canvas.line((self._at(x1, y1), self._at(x2, y2)), fill=colour, width=max(1, round(width * self.scale)))

    def _rect(self, shape: Rect) -> None:
        left, top, right, bottom = shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
        if shape.stroke and not shape.dashed:  # Pillow draws an outline inside the rectangle, SVG on its edge
            left, top, right, bottom = left - OUTLINE / 2, top - OUTLINE / 2, right + OUTLINE / 2, bottom + OUTLINE / 2
        if right <= left or bottom <= top:
            return
        (x1, y1), (x2, y2) = self._at(left, top), self._at(right, bottom)
        box = (x1, y1, max(x1, x2 - 1), max(y1, y2 - 1))  # Pillow's boxes include their last pixels
        outline = None if shape.dashed else shape.stroke
        radius, width = min(shape.radius, shape.width / 2) * self.scale, round(OUTLINE * self.scale)
        self.canvas.rounded_rectangle(box, radius, fill=shape.fill, outline=outline, width=width if outline else 0)
        if shape.stroke and shape.dashed:
            for side in ((left, top, right, top), (left, bottom, right, bottom), (left, top, left, bottom)):
                self._dashes(*side, shape.stroke)
            self._dashes(right, top, right, bottom, shape.stroke)

    def _dashes(self, x1: float, y1: float, x2: float, y2: float, colour: str) -> None:
        length = max(x2 - x1, y2 - y1)
        across, down = (x2 - x1) / length, (y2 - y1) / length
        start = 0.0
        while start < length:
            end = min(start + DASH, length)
            ends = (x1 + across * start, y1 + down * start, x1 + across * end, y1 + down * end)
            self._line(*ends, colour, OUTLINE)
            start += DASH + SPACE


@lru_cache(maxsize=16)
def _font(bold: bool, size: float) -> Any:
    """A font of arvae's own: Pillow's has no accents, and the fonts of computers differ."""
    from PIL import ImageFont

    data = files("arvae_music").joinpath("data", "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf").read_bytes()
    return ImageFont.truetype(io.BytesIO(data), size)
