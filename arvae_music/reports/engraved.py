"""Scores as SVG by verovio (the extra `report`), which is imported when a score is drawn."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ..system.extras import VEROVIO, command, is_installed

PAGE = {
    "adjustPageHeight": True, "header": "none", "footer": "none", "pageMarginLeft": 20, "pageMarginRight": 20,
    "pageHeight": 60_000, "xmlIdSeed": 1,
}  # fmt: skip
REMEDY = f"install verovio: {command('report')}"


def available() -> bool:
    """Whether verovio is installed."""
    return is_installed(VEROVIO)


@lru_cache(maxsize=1)
def _toolkit() -> Any:
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit(False)
    toolkit.setResourcePath(str(Path(verovio.__file__).parent / "data"))  # the default one is not known in a thread
    return toolkit


def engrave(music: str, **options: object) -> list[str]:
    """The pages of a score, MusicXML or another format that verovio reads, as SVG documents.

    `options` are verovio's. There are no pages if verovio cannot read the music. Raises ImportError without verovio.
    """
    toolkit = _toolkit()
    toolkit.resetOptions()
    toolkit.setOptions(PAGE | options)
    if not toolkit.loadData(music):
        return []
    return [toolkit.renderToSVG(page) for page in range(1, toolkit.getPageCount() + 1)]
