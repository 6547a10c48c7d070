"""Reading and writing pictures: grey PNG files, strips, grids and GIFs.

A picture is (h, w) uint8, white on black. Pillow is imported where it is used.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Bytes
from ..errors import InputError

MODES = ("L", "1")  # 8-bit grey, black and white
GAP = 2  # pixels between pictures, before they are enlarged
GREY = 96  # the grey of the gaps
LARGE = 112  # the least side of a picture in a strip, grid or GIF, in pixels, to which it is enlarged
FRAME = 120  # milliseconds for which a GIF shows each picture
MARGIN, LINE = 8, 14  # pixels around a label; its font size


def read(source: Path | bytes, name: str, size: int | None = None) -> Bytes:
    """Read a grey PNG, white on black, of `size` x `size` pixels, or of any size if that is None. Raises InputError for
    anything else, and for a blank picture."""
    with _opened(source, name) as file:
        _check(file, name, size)
        pixels: Bytes = np.array(file.convert("L"))
    if not np.ptp(pixels):
        raise InputError("the picture is blank", where=name)
    if float(pixels.mean()) > 127:
        raise InputError("the picture is mostly white", where=name, remedy="invert it: pictures are white on black")
    return pixels


def _check(file: Any, name: str, size: int | None) -> None:
    if file.mode not in MODES:
        raise InputError(
            f"its mode is {file.mode}, not 8-bit grey", where=name, remedy="convert it to grey without transparency"
        )
    if size is not None and file.size != (size, size):
        raise InputError(
            f"it is {file.size[0]} x {file.size[1]} pixels, but the model's pictures are {size} x {size}",
            where=name,
            remedy="scale it, or name another model with model=...",
        )


def size_of(source: Path | bytes, name: str) -> int:
    """The side of a PNG in pixels, 0 if it is not square. Raises InputError for any other file."""
    with _opened(source, name) as file:
        width, height = file.size
    return int(width) if width == height else 0


@contextmanager
def _opened(source: Path | bytes, name: str) -> Iterator[Any]:
    """An open PNG. Raises InputError for any other file, also if it turns out to be damaged in the block."""
    from PIL import Image as Pillow

    try:
        with Pillow.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=("PNG",)) as file:
            yield file
    except (OSError, SyntaxError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else "it is no PNG file, or damaged"
        raise InputError(f"cannot be read ({what})", where=name, remedy="give a grey PNG") from error


def png(picture: Bytes) -> bytes:
    """The bytes of a PNG file of the picture, which is not enlarged."""
    from PIL import Image as Pillow

    data = io.BytesIO()
    Pillow.fromarray(picture).save(data, format="PNG", optimize=True)
    return data.getvalue()


def gif(pictures: Sequence[Bytes]) -> bytes:
    """The bytes of a GIF that shows the enlarged pictures forwards and backwards for ever."""
    from PIL import Image as Pillow

    there = [Pillow.fromarray(enlarged(picture)) for picture in pictures]
    frames, data = [*there, *there[-2:0:-1]], io.BytesIO()
    frames[0].save(data, format="GIF", save_all=True, append_images=frames[1:], duration=FRAME, loop=0)
    return data.getvalue()


def strip(pictures: Sequence[Bytes]) -> Bytes:
    """The pictures side by side, enlarged."""
    return grid([pictures])


def grid(rows: Sequence[Sequence[Bytes]], labels: Sequence[str] = ()) -> Bytes:
    """Rows of pictures of one size, enlarged, with a label to the left of each row if `labels` are given."""
    height, width = rows[0][0].shape
    zoom = _zoom(rows[0][0])
    across, down = max(len(row) for row in rows), len(rows)
    drawn = np.full((down * (height + GAP) + GAP, across * (width + GAP) + GAP), GREY, dtype=np.uint8)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            top, left = GAP + r * (height + GAP), GAP + c * (width + GAP)
            drawn[top : top + height, left : left + width] = picture
    large = drawn.repeat(zoom, axis=0).repeat(zoom, axis=1)
    if not labels:
        return large
    middles = [zoom * (GAP + r * (height + GAP) + height / 2) for r in range(down)]
    return np.concatenate([_labels(labels, middles, large.shape[0]), large], axis=1)


def enlarged(picture: Bytes) -> Bytes:
    zoom = _zoom(picture)
    return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _zoom(picture: Bytes) -> int:
    zoom: int = math.ceil(LARGE / picture.shape[0])
    return zoom


def _labels(labels: Sequence[str], middles: Sequence[float], height: int) -> Bytes:
    """A column of labels, each vertically centred at one of the `middles`."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(LINE)
    width = round(max(font.getlength(label) for label in labels)) + 2 * MARGIN
    column = Pillow.new("L", (width, height), GREY)
    pen = ImageDraw.Draw(column)
    for label, middle in zip(labels, middles, strict=True):
        pen.text((width - MARGIN, middle), label, fill=255, font=font, anchor="rm")
    return np.array(column)
