"""`arvae models list` and `arvae models info NAME` describe models: the training data, the sliders, and how well the
sliders work, if there is an evaluation beside the model's file (reports/model_card.py). `arvae models push` publishes
one on the Hugging Face Hub (reports/publishing.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .shared import common

if TYPE_CHECKING:
    from ..vae.checkpoint import Checkpoint
    from ..vae.metadata import Metadata

LISTED = {  # the columns about quality: the first of these figures that the evaluation has, and the column's title
    ("tokens", "pixels"): "reconstruction",
    ("guided.exact_mean",): "exact",
    ("leakage",): "leakage",
}

LICENCE = "The licence in the Hub's list, such as cc-by-nc-4.0; by default the card refers to the training data."

models_app = typer.Typer(no_args_is_help=True)


@models_app.callback()
def models() -> None:
    """List the models, describe one, or publish one on the Hub."""


@models_app.command("list")
def list_models(json: common.Json = False, quiet: common.Quiet = False) -> int:
    """List the models that come with arvae: their sliders and what they were trained on."""
    from ..vae import checkpoint

    rows = [_summary(name) for name in checkpoint.packaged_names()]
    if json:
        common.print_json(rows)
        return 0
    if not rows:
        common.complain(f"no model in {checkpoint.PACKAGED}; train one with arvae train, or reinstall arvae")
        return 1
    from rich.table import Table

    table = Table("name", "sliders", "trained on", "meters", "size", *LISTED.values(), box=None)
    for row in rows:
        size, judged = f"{row['bytes'] / 1e6:.1f} MB", row["evaluation"]
        headline = judged.headline if judged else {}
        known = [next((headline[name] for name in names if name in headline), None) for names in LISTED]
        quality = ["-" if value is None else f"{value:.3f}" for value in known]
        trained = f"{row['examples']:,} {row['kind']}"
        table.add_row(row["name"], ", ".join(row["attributes"]), trained, row["meters"], size, *quality)
    common.report(table)
    return 0


@models_app.command("info")
def info(
    model: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A model's name, its file, or a run folder.")],
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> None:
    """Describe a model: its sliders and their scales, its corpus, how it was trained."""
    from ..reports import model_card as card
    from ..vae import checkpoint

    found = checkpoint.read(model)
    meta, judged = found.metadata, card.evaluation_of(found)
    if json:
        common.print_json({"path": found.path, "digest": found.digest, "metadata": meta, "evaluation": judged})
        return
    common.report(f"{found.path}\ndigest {found.digest}, {_count(found):,} parameters, {_shape(meta.dims)}")
    common.report(_sliders(meta))
    if meta.meters:
        common.report(_section("measures by meter", meta.meters))
    common.report(_section("training", meta.training))
    common.report(_section("provenance", meta.provenance))
    if judged is None:
        kept = card.evaluation_path(checkpoint.find(model))
        common.report(f"\nnot evaluated: arvae evaluate {model} --json > {kept}")
    else:
        common.report(_section(f"evaluation on {judged.corpus}, {judged.part}", card.figures(judged)))


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


def _summary(name: str) -> dict[str, Any]:
    from ..reports import model_card as card
    from ..vae import checkpoint

    model = checkpoint.read(name)
    path, meta = checkpoint.find(name), model.metadata
    return {
        "name": name,
        "path": path,
        "bytes": path.stat().st_size,
        "attributes": list(meta.names),
        "kind": meta.kind,
        "examples": sum(meta.meters.values()) or meta.provenance.get("images", 0),
        "meters": " ".join(meta.meters),
        "evaluation": card.evaluation_of(model),
    }


def _count(found: Checkpoint) -> int:
    return sum(weights.size for weights in found.weights.values())


def _shape(dims: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_readable(value)}" for name, value in dims.items())


def _sliders(meta: Metadata) -> object:
    """One row per attribute: its mean in the corpus, its standard deviation (the step of `+1`), and its middle 90%."""
    from rich.table import Table

    columns = ("slider", "latent", "mean", "+1 is", "5% to 95%")
    table = Table(*columns, title="sliders, in the attributes' own units", box=None)
    for scale in meta.scales:
        low, high = scale.quantiles[5], scale.quantiles[95]
        numbers = (f"{scale.mean:.3f}", f"{scale.sd:.3f}", f"{low:.3f} to {high:.3f}")
        table.add_row(scale.name, str(scale.dimension), *numbers)
    return table


def _section(title: str, values: dict[str, Any]) -> str:
    lines = [f"  {name}: {_readable(value)}" for name, value in values.items()]
    return "\n".join(["", title, *(lines or ["  (nothing recorded)"])])


def _readable(value: Any) -> str:
    """Tables and lists without Python's brackets and quotes."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_readable(item)}" for name, item in value.items())
    return ", ".join(map(_readable, value)) if isinstance(value, list | tuple) else str(value)
