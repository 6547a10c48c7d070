"""Cut the fonts of PNG pictures (arvae_music/data/*.ttf) out of DejaVu Sans, which matplotlib installs.

    python scripts/make_fonts.py

The whole fonts have 1.5 MB. These have the characters of titles and notes in European languages.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import matplotlib
from fontTools.subset import Options, Subsetter, load_font, save_font

SOURCE = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
TARGET = Path(__file__).parent.parent / "arvae_music" / "data"
CHARACTERS = (
    (0x20, 0x24F),  # Latin
    (0x300, 0x36F),  # combining accents
    (0x370, 0x52F),  # Greek and Cyrillic
    (0x1E00, 0x1EFF),  # Latin with more accents
    (0x2000, 0x22FF),  # punctuation, arrows, signs of mathematics
    (0x2669, 0x266F),  # notes and accidentals
)


def main() -> None:
    for name in ("DejaVuSans", "DejaVuSans-Bold"):
        options = Options(hinting=False, layout_features=["kern", "mark"])
        font = load_font(SOURCE / f"{name}.ttf", options)
        cut = Subsetter(options)
        cut.populate(unicodes=[code for first, last in CHARACTERS for code in range(first, last + 1)])
        cut.subset(font)
        save_font(font, TARGET / f"{name}.ttf", options)
    shutil.copy(SOURCE / "LICENSE_DEJAVU", TARGET / "DejaVuSans.LICENSE")


if __name__ == "__main__":
    main()
