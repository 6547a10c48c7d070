"""The domain of a corpus, and the plan of a run on it. PyTorch is imported when these are called.

domain_of("bach") is MEASURES        domain_of("mnist") is IMAGES
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from .objectives import ATTRIBUTE_LOSS, CONTEXTUAL, ENTRIES, NOTHING, entry
from .recipe import EPOCHS_IN_TIME, Domain, Plan

IMAGE_SETS = ("sprites", "mnist")  # corpora.images.NAMES, without importing it


def domain_of(corpus: str) -> Domain:
    """Images for one of IMAGE_SETS, music for any other name, file or folder."""
    if corpus in IMAGE_SETS:
        from .image_recipe import IMAGES

        return IMAGES
    from .music_recipe import MEASURES

    return MEASURES


def objectives_for(corpus: str) -> list[str]:
    """The names of the objectives that can be trained on a corpus: images have no context."""
    return [name for name in ENTRIES if name != CONTEXTUAL or corpus not in IMAGE_SETS]


def make_plan(
    corpus: str,
    attributes: tuple[str, ...],
    rows: int,
    objective: str,
    minutes: float | None,
    seed: int,
    given: Mapping[str, Any],
) -> Plan:
    """The plan of a run on this many training rows. An option that `given` lacks, or has as None, has its default.

    Raises UsageError for an option that such a run does not have, and for a value out of range.
    """
    from .trainer import TrainingOptions, room_for

    if objective not in objectives_for(corpus):
        others = ", ".join(objectives_for(corpus))
        raise UsageError(f"{objective} is for measures of tunes, not for images", remedy=f"give one of {others}")
    domain = domain_of(corpus)
    options = vars(domain.defaults(corpus, rows, objective, given.get("batch")))
    if minutes is not None:
        options["epochs"] = max(options["epochs"], EPOCHS_IN_TIME)
    foreign = [name for name, value in given.items() if value is not None and options[name] is None]
    if foreign:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in foreign)
        what = corpus if corpus in IMAGE_SETS else f"the objective {objective}"
        raise UsageError(f"there is no {names} for {what}", remedy="leave it out")
    _refuse_idle(objective, given)
    options = options | {name: value for name, value in given.items() if value is not None}
    own = {name: options[name] for name in ("epochs", "beta", "gamma", "delta", "batch", "learning_rate", "clip")}
    training = TrainingOptions(**own, minutes=minutes, objective=objective, seed=seed)
    room_for(len(attributes), options["latent"])  # some networks cannot even be made
    dims = domain.dims(corpus, {**options, "objective": objective, "attributes": attributes})
    return Plan(corpus, attributes, dims, training, options["mix"] or 0.0)


def _refuse_idle(objective: str, given: Mapping[str, Any]) -> None:
    """Raises UsageError for a weight that the objective does not use."""
    idle = {"gamma": entry(objective).weighs == NOTHING, "delta": entry(objective).weighs != ATTRIBUTE_LOSS}
    for name, unused in idle.items():
        if unused and given.get(name) is not None:
            remedy = "leave it out, or give another objective=..."
            raise UsageError(f"{name} does nothing in {objective}", remedy=remedy)
