"""`arvae models list` and `arvae models info NAME` describe models: the training data, the sliders, and how well the
sliders work, if there is an evaluation beside the model's file (reports/model_listing.py). `arvae models push`
publishes one on the Hugging Face Hub (reports/publishing.py).
"""

from __future__ import annotations

from typing import Annotated

import typer

from .shared import common

LICENCE = "The licence in the Hub's list, such as cc-by-nc-4.0; by default the card refers to the training data."

models_app = typer.Typer(no_args_is_help=True)


@models_app.callback()
def models() -> None:
    """List the models, describe one, or publish one on the Hub."""


@models_app.command("list")
def list_models(json: common.Json = False, quiet: common.Quiet = False) -> int:
    """List the models that come with arvae: their sliders and what they were trained on."""
    from ..reports import model_listing
    from ..vae.checkpoint import PACKAGED

    rows = model_listing.models()
    if json:
        common.print_json(rows)
    elif rows:
        common.report(common.listing(model_listing.HEADINGS, model_listing.cells(rows)))
    else:
        common.complain(f"no model in {PACKAGED}; train one with arvae train, or reinstall arvae")
        return 1
    return 0


@models_app.command("info")
def info(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A model's name, its file, or a run folder.")],
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> None:
    """Describe a model: its sliders and their scales, its corpus, how it was trained."""
    from ..reports import model_listing
    from ..vae import checkpoint

    found = checkpoint.read(model)
    if json:
        common.print_json(model_listing.describe(found))
        return
    sections = model_listing.sections(found, model)
    title = "sliders, in the attributes' own units"
    common.report(model_listing.facts(found))
    common.report(common.listing(model_listing.SLIDERS, model_listing.slider_rows(found), title=title))
    for section in sections:
        common.report(section)


@models_app.command("push")
def push(
    model: Annotated[str, typer.Argument(metavar="RUN|FILE|NAME", help="A run folder, a model's file, or its name.")],
    address: Annotated[str, typer.Argument(metavar="hf://OWNER/NAME", help="The repository on the Hub.")],
    licence: Annotated[str, typer.Option("--licence", metavar="ID", help=LICENCE)] = "other",
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> None:
    """Publish a model on the Hugging Face Hub, with its card. Log in first: hf auth login."""
    from ..reports import publishing

    pushed = publishing.push(model, address, licence=licence, private=private)
    if json:
        common.print_json(pushed._asdict())
    else:
        common.report(f"wrote {pushed.url}; use it with --model {pushed.address}")
