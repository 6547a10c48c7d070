"""Completion of values by the shell. Each function imports what it needs only when the shell calls it.

A function gets the word typed so far and returns the words that continue it.
"""

from __future__ import annotations

from collections.abc import Iterable


def _matching(typed: str, names: Iterable[str]) -> list[str]:
    """The continuations of a name, or of the last name of `a,b`."""
    before, comma, last = typed.rpartition(",")
    return [f"{before}{comma}{name}" for name in names if name.startswith(last)]


def models(incomplete: str) -> list[str]:
    from ...vae.checkpoint import packaged_names

    return _matching(incomplete, ["auto", *packaged_names("measures")])


def image_models(incomplete: str) -> list[str]:
    from ...vae.checkpoint import packaged_names

    return _matching(incomplete, packaged_names("images"))


def attributes(incomplete: str) -> list[str]:
    from ...music.attributes import names

    return _matching(incomplete, names())


def settable(incomplete: str) -> list[str]:
    """`--set NAME=`: the target is for the user to write."""
    return [f"{name}=" for name in attributes(incomplete)]


def locks(incomplete: str) -> list[str]:
    from ...editing.locks import NAMES

    return _matching(incomplete, NAMES)


def corpora(incomplete: str) -> list[str]:
    """The corpora that come with arvae, and those that the user built."""
    from ...corpora.registry import built, built_in

    return _matching(incomplete, dict.fromkeys([*built_in(), *built()]))


def formats(incomplete: str) -> list[str]:
    from ...system.outputs import FORMATS

    return _matching(incomplete, FORMATS)


def modes(incomplete: str) -> list[str]:
    return _matching(incomplete, ("guided", "latent"))


def runtimes(incomplete: str) -> list[str]:
    return _matching(incomplete, ("numpy", "torch"))
