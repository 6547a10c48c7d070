"""Publish a model on the Hugging Face Hub, with a card in the Hub's format.

    push("runs/midi", "hf://owner/name")

The card is a README.md. Its head is YAML, which the Hub reads: the licence, tags, the data, and the figures of the
stored evaluation. Its text is the section of model_card.py, and how to use the model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..vae import checkpoint as checkpoints
from ..vae.checkpoint import Checkpoint
from ..vae.hub import CARD, EVALUATION_FILE, MODEL_FILE, Address, upload
from .model_card import OF_CODES, SHOWN, Judged, card, evaluation_of, evaluation_path

LICENCE = "other"  # in the Hub's list of licences: the terms of the training data decide
TAGS = {
    "measures": ("music", "midi", "symbolic-music"),
    "images": ("images",),
}
TASKS = {"measures": "melody-editing", "images": "image-editing"}
USES = {
    "measures": (
        'pip install "arvae[hub]"\narvae edit melody.mid --density +2notes --model {address}',
        'import arvae_music\n\nmodel = arvae_music.load("{address}")\n'
        'result = model.edit(arvae_music.read("melody.mid"), density="+2notes")',
    ),
    "images": (
        'pip install "arvae[hub,images]"\narvae image traverse {address}',
        'from arvae_music import assessment\n\nmodel = assessment.load("{address}")',
    ),
}


class Pushed(NamedTuple):
    address: str  # hf://owner/name
    url: str
    digest: str  # of the weights


def push(model: str | Path, address: str, *, licence: str = LICENCE, private: bool = False) -> Pushed:
    """Upload a model, with its card and its evaluation, to a repository on the Hub, which is made if necessary.

    `model` is a bundled model's name, a file or a run folder. `licence` is an identifier of the Hub's list, such as
    "cc-by-nc-4.0". You log in with `hf auth login` or HF_TOKEN. Raises UsageError for an invalid address,
    CheckpointError for a model that cannot be read, OutputError if the server refuses or cannot be reached, and
    ExtraError without huggingface-hub.
    """
    place = Address.parse(address)
    found = checkpoints.read(model)
    path = checkpoints.find(model)
    judged = evaluation_of(found)
    text = hub_card(str(Address(place.repository)), found, judged, licence)
    files = {MODEL_FILE: path.read_bytes(), CARD: text.encode()}
    if judged is not None:
        files[EVALUATION_FILE] = evaluation_path(path).read_bytes()
    url = upload(place, files, f"Model {found.digest} of arvae", private=private)
    return Pushed(str(place), url, found.digest)


def hub_card(address: str, model: Checkpoint, judged: Judged | None, licence: str = LICENCE) -> str:
    """The card of a model that is at `address` on the Hub."""
    kind = model.metadata.kind
    name = address.rpartition("/")[2]
    shell, python = (use.format(address=address) for use in USES[kind])
    return "\n".join(
        [
            "---",
            *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in _head(name, model, judged, licence)),
            "---",
            "",
            f"# {name}",
            "",
            "An attribute-regularised variational auto-encoder (AR-VAE) for [arvae](https://pypi.org/project/arvae/),",
            f"with the sliders {', '.join(model.metadata.carried)}.",
            "",
            *("```sh", shell, "```", "", "```python", python, "```", ""),
            card("Facts and figures", model, judged),
        ]
    )


def _head(name: str, model: Checkpoint, judged: Judged | None, licence: str) -> list[tuple[str, Any]]:
    """The YAML of the card, as keys and values. Every JSON value is a value in YAML."""
    kind, made = model.metadata.kind, model.metadata.provenance
    head: list[tuple[str, Any]] = [
        ("license", licence),
        ("library_name", "arvae"),
        ("tags", ["arvae", "vae", "attribute-regularized", TASKS[kind], *TAGS[kind]]),
    ]
    if licence == LICENCE:
        head.insert(1, ("license_name", "terms-of-the-training-data"))
    if "corpus" in made:
        head.append(("datasets", str(made["corpus"]).split("+")))
    if judged is not None:
        hidden = OF_CODES if judged.given else ()
        metrics = [
            {"type": key, "name": what, "value": round(value, 4)}
            for key, what in SHOWN.items()
            if key not in hidden and (value := judged.headline.get(key)) is not None
        ]
        dataset = {"type": judged.corpus, "name": judged.corpus, "split": judged.part}
        task = {"type": TASKS[kind], "name": TASKS[kind].replace("-", " ")}
        head += [("metrics", [metric["type"] for metric in metrics])]
        head += [("model-index", [{"name": name, "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}])]
    return head
