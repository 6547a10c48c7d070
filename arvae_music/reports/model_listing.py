"""The models and what a model is, as rows and lines of text, and as data for JSON (`arvae models list` and `info`).

    rows = models()                        every bundled model, as data; `cells(rows)` is its table below HEADINGS
    describe(checkpoint.read("all"))       one model, as data; `facts`, `slider_rows` and `sections` are its text
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..vae import checkpoint
from ..vae.checkpoint import Checkpoint
from .model_card import evaluation_of, evaluation_path, figures

QUALITY = {  # the columns about quality: the first of these figures that the evaluation has, and the column's title
    ("tokens", "pixels"): "reconstruction",
    ("guided.exact_mean",): "exact",
    ("leakage",): "leakage",
}
HEADINGS = ("name", "sliders", "trained on", "meters", "size", *QUALITY.values())
SLIDERS = ("slider", "latent", "mean", "+1 is", "5% to 95%")


def models() -> list[dict[str, Any]]:
    """The bundled models."""
    return [_summary(name) for name in checkpoint.packaged_names()]


def _summary(name: str) -> dict[str, Any]:
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
        "evaluation": evaluation_of(model),
    }


def cells(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """The table of `models()`, below HEADINGS."""
    found: list[tuple[str, ...]] = []
    for row in rows:
        headline = row["evaluation"].headline if row["evaluation"] else {}
        known = [next((headline[name] for name in names if name in headline), None) for names in QUALITY]
        quality = ["-" if value is None else f"{value:.3f}" for value in known]
        trained, size = f"{row['examples']:,} {row['kind']}", f"{row['bytes'] / 1e6:.1f} MB"
        found.append((row["name"], ", ".join(row["attributes"]), trained, row["meters"], size, *quality))
    return found


def describe(model: Checkpoint) -> dict[str, Any]:
    """A model as plain data. Raises CheckpointError for an evaluation that cannot be read."""
    about = {"path": model.path, "digest": model.digest, "metadata": model.metadata}
    return {**about, "evaluation": evaluation_of(model)}


def facts(model: Checkpoint) -> str:
    """Its file and its size."""
    count = sum(weights.size for weights in model.weights.values())
    shape = ", ".join(f"{name} {_readable(value)}" for name, value in model.metadata.dims.items())
    return f"{model.path}\ndigest {model.digest}, {count:,} parameters, {shape}"


def slider_rows(model: Checkpoint) -> list[tuple[str, ...]]:
    """One row per attribute, below SLIDERS: its mean in the corpus, its standard deviation (the step of `+1`), and its
    middle 90%, in its own unit."""
    rows: list[tuple[str, ...]] = []
    for scale in model.metadata.scales:
        low, high = scale.quantiles[5], scale.quantiles[95]
        numbers = (f"{scale.mean:.3f}", f"{scale.sd:.3f}", f"{low:.3f} to {high:.3f}")
        rows.append((scale.name, str(scale.dimension), *numbers))
    return rows


def sections(model: Checkpoint, name: str) -> list[str]:
    """How it was trained, and how well it works; `name` is the model's name, file or run folder in the remedy.

    Raises CheckpointError for an evaluation that cannot be read."""
    meta, judged = model.metadata, evaluation_of(model)
    found = [_section("measures by meter", meta.meters)] if meta.meters else []
    found += [_section("training", meta.training), _section("provenance", meta.provenance)]
    if judged is None:
        kept = evaluation_path(checkpoint.find(name))
        return [*found, f"\nnot evaluated: arvae evaluate {name} --json > {kept}"]
    return [*found, _section(f"evaluation on {judged.corpus}, {judged.part}", figures(judged))]


def _section(title: str, values: Mapping[str, Any]) -> str:
    lines = [f"  {name}: {_readable(value)}" for name, value in values.items()]
    return "\n".join(["", title, *(lines or ["  (nothing recorded)"])])


def _readable(value: Any) -> str:
    """Tables and lists without Python's brackets and quotes."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_readable(item)}" for name, item in value.items())
    return ", ".join(map(_readable, value)) if isinstance(value, list | tuple) else str(value)
