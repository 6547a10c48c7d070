"""`arvae demo`: a first edit, with a picture, of a bundled melody by a bundled model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import OutputError
from .shared import common, sources

Folder = Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The folder of the outputs.")]


def demo(
    output: Folder = Path("demo"),
    model: common.Model = None,
    seed: common.Seed = 0,
    overwrite: common.Overwrite = False,
    quiet: common.Quiet = False,
) -> int:
    """Edit a melody that comes with arvae: Beethoven's Ode to Joy, denser."""
    from .. import library
    from ..editing.edit import edit
    from ..io.scores import read_any
    from ..reports import piano_roll as rolls
    from ..reports.summaries import edit_lines, melody_line
    from ..system.files import write_whole

    source = Path(library.__file__).parent / "data" / "ode_to_joy.mid"
    song = read_any(source, name=source.name)
    trained = sources.load_model(model)
    request = trained.request({"density": "+1.5"}, seed=seed)
    result = edit(song.melody, request, trained)
    title, caption = "Ode to Joy", "density +1.5"
    files = {
        "ode_to_joy.mid": source.read_bytes(),
        "ode_to_joy.density+1.5.mid": song.write(result.melody.rows),
        "ode_to_joy.svg": rolls.svg(song.melody, result.melody, title=title, caption=caption).encode(),
        "ode_to_joy.png": rolls.png(song.melody, result.melody, title=title, caption=caption),
    }
    for name, data in files.items():  # equal files of an earlier run do not matter
        place = output / name
        if not overwrite and place.exists() and place.read_bytes() != data:
            raise OutputError("exists already", where=str(place), remedy="give --overwrite, or another folder with -o")
    common.report(f"arvae edit ode_to_joy.mid --density +1.5\n{song.name}\n  melody: {melody_line(song)}")
    for line in edit_lines(result, request, trained):
        common.report(f"  {line}")
    for name, data in files.items():
        write_whole(output / name, data, overwrite=True)
        common.report(f"  wrote {output / name}")
    return 0
