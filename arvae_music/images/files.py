"""The files of edited images: which model an image gets, and the work on each file of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..music.sliders import Target
from ..reports.item_report import ItemReport, wrote
from ..system.outputs import Planned
from ..system.storage import Place
from .edit import Mode, edit
from .model import ImageModel, named
from .pictures import png, read, size_of
from .summaries import edit_json, edit_lines


def model_for(name: str | None, place: Place) -> ImageModel:
    """The named model, or without a name the bundled model for images of the size of `place`.

    Raises CheckpointError, and InputError for a file that is not a PNG image.
    """
    return named(name, size_of(Path(place), str(place)))


@dataclass(frozen=True)
class EditImages:
    """The work on each image. Without `model`, the name of a model, an image gets the bundled one of its size. With
    `dry_run` nothing is written."""

    model: str | None
    targets: Mapping[str, Target]
    keep: tuple[str, ...] = ()
    mode: Mode = "guided"
    seed: int = 0
    dry_run: bool = False

    def __call__(self, plan: Planned) -> ItemReport | Literal[False]:
        """Edit one image. Returns False if its output exists already and is skipped.

        Raises InputError for a file that is not a PNG image of the model's size, and OutputError."""
        if plan.skip:
            return False
        source = Path(plan.request.source)
        model = model_for(self.model, source)
        picture = read(source, str(source), model.dims.size)
        result = edit(picture, self.targets, model, self.keep, self.mode, self.seed)
        if not self.dry_run:
            plan.write(png(result.image) if result.changed else source.read_bytes())
        lines = [*edit_lines(result, model, self.seed), wrote(plan.place, self.dry_run)]
        about = {"input": str(source), "output": None if self.dry_run else str(plan.place)}
        data = {**about, **edit_json(result, model, self.targets, self.keep, self.mode, self.seed)}
        return ItemReport([str(source), *(f"  {line}" for line in lines)], [data], plan.place == "-")
