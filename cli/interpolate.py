"""`arvae interpolate`: the melodies between melodies.

The first and the last step are the inputs, note for note; --steps counts both. Every step is a new file of one track
with the tempo, the meter and the instrument of the first input, because its other tracks would not fit the second
melody. The report counts what the steps leave behind: other tracks, lyrics, tempo changes and controllers. The
velocity moves from one input's median to the next one's. Notes start exactly on the grid. A pickup and an incomplete
last measure are filled up with rests. `arvae_music.editing.interpolate` describes how measures, lengths and keys are
matched, and which melodies are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..system import inputs
from .shared import common, completion, placing, sources
from .shared.sliders import Bars, Form, Harmony, joined

STEPS = 8
FORMAT = "Format of the new files.  [default: mid, or that of the suffix of -o]"
EXAMPLES = (
    ("arvae interpolate a.mid b.mid", "a-b.steps/a-b.01.mid to a-b.08.mid, and a page that plays them"),
    ("arvae interpolate a.mid b.mid --steps 16 --one", "one file with all steps in a row: a-b.16-steps.mid"),
    ("arvae interpolate a.mid b.mid c.mid", "from a to b, and on from b to c"),
)

Steps = Annotated[int, typer.Option(min=3, metavar="N", help="Melodies from each input to the next, including both.")]
One = Annotated[bool, common.in_output("--one", help="Write one file with all steps in a row, instead of a folder.")]

Format = Annotated[
    str | None,
    common.in_output("--format", metavar="mid|musicxml|mxl|abc", help=FORMAT, autocompletion=completion.formats),
]


def interpolate(
    files: common.SingleInputs,
    *,
    steps: Steps = STEPS,
    bars: Bars = None,
    form: Form = True,
    harmony: Harmony,
    model: common.Model = None,
    runtime: common.Runtime = common.RUNTIME,
    seed: common.Seed = 0,
    voice: common.Voice,
    one: One = False,
    listen: common.Listen = None,
    format_: Format = None,
    writing: common.Writing,
) -> int:
    """Write the melodies between two or more melodies, step by step."""
    from ..io.scores import read_place
    from ..reports import interpolation_files
    from ..reports.contact_sheet import earlier_rows, write_index

    inputs.expand_inputs(files)  # reports all missing files at once
    places = [place for argument in files for place in inputs.expand_inputs([argument])]  # a melody may come again
    if len(places) < 2:
        raise UsageError("one melody cannot be interpolated", remedy="name two or more")
    plans = interpolation_files.plan(places, steps, seed, writing.output, one, **writing.existing, format=format_)
    folder = Path(plans[0].place).parent
    earlier = {} if one else earlier_rows(folder, **writing.existing)
    placing.refuse_streams(plans, writing)
    page = placing.page_of(listen, writing)
    if all(plan.skip for plan in plans):
        common.say(f"{plans[0].place}: skipped")
        return 0
    songs = [read_place(place, **vars(voice)) for place in places]
    trained = sources.load_model(model, runtime)
    melodies = [interpolation_files.input_of(song, joined(bars)) for song in songs]
    path = trained.interpolate(melodies, steps, form=form, **harmony.arguments, seed=seed)
    names = ["stdout" if plan.place == "-" else Path(plan.place).name for plan in plans]
    files_of_steps = names * len(path.melodies) if one else names
    rows = interpolation_files.step_rows(path.results, files_of_steps, ", ".join(map(str, places)), trained, seed)
    if not writing.dry_run:
        interpolation_files.write_steps(path.melodies, path.ends, songs, plans, format_)
        cards = interpolation_files.step_cards(rows, path.melodies, path.ends, songs, plans, scores=page is not None)
        if not one:
            common.say(placing.shows(write_index(folder, cards, "Interpolation", earlier)))
        if page is not None:
            placing.write_page(page, "Interpolation", writing.overwrite, cards)
    report = interpolation_files.report(songs, melodies, path.ends, plans, rows, writing.dry_run)
    placing.show(report, writing.json)
    return 0
