"""The table of commands, and the text of `arvae --help`, which the table gives without the import of a command."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """Where a command is defined (`.module:attribute` in this package), and its line in `arvae --help`."""

    target: str
    help: str


COMMANDS = {
    "edit": Entry(".edit:edit", "Move a melody's sliders: the same tune, but denser, higher or calmer."),
    "vary": Entry(".vary:vary", "Write variations that keep a melody's character, or a grid of edits."),
    "interpolate": Entry(".interpolate:interpolate", "Write the melodies between two or more melodies."),
    "inspect": Entry(".inspect:inspect", "Show a file's tracks, its melody, and the attributes of each measure."),
    "studio": Entry(".studio:studio", "Edit a melody in the browser, with sliders to drag."),
    "image": Entry(".image:image_app", "Edit, interpolate and traverse images: digits and sprites."),
    "corpus": Entry(".corpus:corpus_app", "Build a corpus, or describe one."),
    "train": Entry(".train:train", "Train a model on a corpus."),
    "evaluate": Entry(".evaluate:evaluate", "Measure how well a model's sliders work."),
    "benchmark": Entry(".benchmark:benchmark", "Train all objectives with equal settings and compare them."),
    "models": Entry(".models:models_app", "List the models, describe one, or publish one on the Hub."),
    "config": Entry(".config:config_app", "Show the settings and their origins."),
    "demo": Entry(".demo:demo", "Edit the bundled example melody, and draw it."),
    "doctor": Entry(".doctor:doctor", "Check the installation."),
}

COMPLETION = ("--install-completion", "--show-completion")

OPTIONS = {
    "-q, --quiet": "Print errors only.",
    "--debug": "Show the traceback of an error.",
    "--version": "Print the version and exit.",
    COMPLETION[0]: "Install completion for the current shell.",
    COMPLETION[1]: "Print the completion script.",
    "-h, --help": "Show this message, or with a command its options, and exit.",
}


def help_text() -> str:
    """The text of `arvae --help`, from the tables in this module."""
    width = max(map(len, (*COMMANDS, *OPTIONS)))
    commands = [f"  {name:{width}}  {entry.help}" for name, entry in COMMANDS.items()]
    options = [f"  {name:{width}}  {text}" for name, text in OPTIONS.items()]
    return "\n".join(
        [
            "Usage: arvae [OPTIONS] COMMAND [ARGS]...",
            "",
            "Sliders for a melody: edit, vary and interpolate MIDI.",
            "",
            "Commands:",
            *commands,
            "",
            "Options:",
            *options,
            "",
            "arvae COMMAND --help describes a command.",
        ]
    )
