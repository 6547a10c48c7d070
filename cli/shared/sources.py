"""The model of a command. `system.inputs` and `io.scores.read_place` read its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...system import machine
from . import common

if TYPE_CHECKING:
    from ...library import Model as TrainedModel


def load_model(name: str | None, runtime: str = common.RUNTIME) -> TrainedModel:
    """The model that --model names, or the default one, read once per process.

    Raises CheckpointError, and UsageError for an unknown --runtime.
    """
    from ... import library

    if runtime != common.RUNTIME:
        machine.patient_threads()  # before PyTorch is imported
    return library.load(name or library.AUTO, runtime)
