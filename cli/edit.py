"""`arvae edit`: move a melody's sliders.

The report shows for each attribute its mean before, requested, the goal and achieved, over the selected measures, and
in how many of them it is exact (reports/summaries.py). Only notes in the edited measures change; where nothing changes,
the output equals the input byte for byte. Several files that go into one folder (`-o folder/`) get a manifest there,
and such a batch can be continued after its end (batch/job.py).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated

from ..batch.listing import listing
from ..batch.plans import planned_later
from ..batch.target import Target
from ..errors import UsageError
from ..system import inputs, outputs
from .shared import batches, common, placing, sources, watching
from .shared.scaling import Scaling
from .shared.sliders import Harmony, Kept, MelodySliders, Set, targets_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..batch.listing import Entry
    from ..batch.plans import Items
    from ..system.outputs import Planned

PROPOSALS, STRENGTH = 64, 0.5
EXAMPLES = (
    ("arvae edit melody.mid --density +2notes", "two more notes a measure, on average: melody.density+2notes.mid"),
    ("arvae edit melody.mid --pitch +4st --lock key", "a third higher, without notes outside the key"),
    ('arvae edit melody.mid --density +2notes --chords "C F | G7 C"', "its new notes fit these chords"),
    ("arvae edit melody.mid --density +30% --bars 1-8 --keep contour", "the first eight measures alone"),
    ("arvae edit tune.abc --density +1notes -o tune.musicxml", "scores in, and scores out: MusicXML or ABC"),
    ("arvae edit tunes/ -r --density 1:+0,8:+2 -o denser/", "every file of a folder, denser from measure to measure"),
)

STRICT = "Exit with 1 unless every request is met exactly and every kept attribute is unchanged."
DIAL = "How freely notes change: 0 is barely, 1 is freely. The request is met either way."
ROLL = "Write a before/after piano roll (SVG) beside each output."
WAV = "Write the sound of all tracks, too: a .wav file, a folder/, or a name as for -o."
WATCH = "Edit the files that other programs write into the folders FILE, until Ctrl-C."
SUFFIXES = (*inputs.MIDI_SUFFIXES, *outputs.SCORE_SUFFIXES, outputs.SOUND_SUFFIX)

Strength = Annotated[float, common.in_stays(metavar="0..1", help=DIAL)]
Proposals = Annotated[int, common.in_how(min=0, metavar="N", help="Decodes tried for each measure.")]
Strict = Annotated[bool, common.in_output("--strict", help=STRICT)]
Roll = Annotated[bool, common.in_output("--roll", help=ROLL)]
Wav = Annotated[str | None, common.in_output("--wav", metavar="PLACE", help=WAV)]
Watched = Annotated[bool, common.in_input("--watch", help=WATCH)]


def edit(
    files: common.Inputs,
    *,
    sliders: MelodySliders,
    set_: Set = None,
    kept: Kept,
    harmony: Harmony,
    strength: Strength = STRENGTH,
    mode: common.Mode = "guided",
    proposals: Proposals = PROPOSALS,
    model: common.Model = None,
    runtime: common.Runtime = common.RUNTIME,
    seed: common.Seed = 0,
    recursive: common.Recursive = False,
    voice: common.Voice,
    watch: Watched = False,
    scaling: Scaling,
    writing: common.Writing,
    listen: common.Listen = None,
    wav: Wav = None,
    roll: Roll = False,
    strict: Strict = False,
) -> int:
    """Move a melody's sliders: the same tune, but denser, higher or calmer.

    A TARGET is a change in the attribute's unit (+2notes, -4st, +30%), a value (=8notes), a factor (x1.5), or a ramp
    over measures (1:+0notes,8:+2notes). A bare number such as +1.5 counts standard deviations (sd) of the model's
    corpus, which is one scale for all attributes.
    """
    targets = targets_from(sliders, set_)
    if not targets:
        raise UsageError("there is nothing to change", remedy="give a slider, for instance --density +2notes")
    from ..reports.edit_files import EditFiles
    from ..reports.jobs import manifest_of

    load = partial(sources.load_model, model, runtime)
    trained = load()
    request = trained.request(
        dict(targets),
        **kept.arguments,
        **harmony.arguments,
        mode=mode,  # type: ignore[arg-type]  # the library checks it and names the modes
        strength=strength,
        proposals=proposals,
        seed=seed,
    )
    label = outputs.label(request.targets)
    work = EditFiles(load, request, vars(voice), writing.dry_run, roll=roll, data=writing.json, strict=strict)
    if watch:
        if listen is not None or wav is not None:
            raise UsageError("--watch writes no pages and no sound beside its results", remedy="leave out the option")
        return watching.watch(files, label, seed, SUFFIXES, recursive, writing, work)
    found = listing(files, recursive=recursive)
    target = Target.of(writing.output)
    large = scaling.is_large(found, target, {"--listen": listen, "--wav": wav})

    def request_of(entry: Entry) -> outputs.Request:
        return outputs.Request(entry.place, label, seed, entry.n, entry.below, entry.data)

    sounds: tuple[Planned, ...] = ()
    if large and target is not None:
        plans: Sequence[Planned] | Items[Planned] = planned_later(found, request_of, target, **writing.existing)
    else:
        requests = list(map(request_of, found))
        plans = outputs.plan_outputs(requests, writing.output, **writing.existing, suffixes=SUFFIXES)
        sounds = placing.sounds_of(requests, wav, writing)
    page = placing.page_of(listen, writing)
    placing.refuse_streams(plans, writing)
    spec = {"command": "edit", "request": request, "voice": voice, "model": trained.checkpoint.digest}
    job = scaling.job(target, found, spec, writing, trained.metadata.names, large=large)
    manifest = None
    if job is not None and target is not None:
        work = replace(work, root=target.root)
        manifest = manifest_of(target, common.say, overwrite=writing.overwrite)
    work = replace(work, sounds=sounds, cards=page is not None)
    conclude = None if page is None else partial(placing.write_page, page, label, writing.overwrite)
    executor = scaling.executor(len(found), here=not large and any(plan.uses_streams for plan in plans))
    return batches.run_and_report(
        plans, work, executor, name=attrgetter("source"), json=writing.json, brief=large, job=job, manifest=manifest,
        conclude=conclude,
    )  # fmt: skip
