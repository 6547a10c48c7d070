"""The evaluation of a model, and its model card.

`evaluation_of(checkpoint)` reads the output of `arvae evaluate NAME --json` that is stored next to the model:
NAME.evaluation.json next to NAME.safetensors, or evaluation.json in a run folder. An evaluation of other weights is
ignored.

`card(checkpoint, evaluation)` is a section of docs/models.md, which scripts/make_model_card.py writes: the model's
training data, training, sliders and figures. The page states what the models are not for (after Mitchell et al., "Model
Cards for Model Reporting", 2019).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..vae.checkpoint import MODEL_FILE, Checkpoint
from ..vae.hub import EVALUATION_FILE
from ..vae.scales import NOT_CARRIED

# The figures of the headline (evaluation/headline.py) that the card shows, and their descriptions.
SHOWN = {
    "tokens": "reconstruction: share of tokens",
    "measures": "reconstruction: share of whole measures",
    "paper.tokens": "reconstruction: share of tokens, the paper's protocol",
    "paper.measures": "reconstruction: share of whole measures, the paper's protocol",
    "pixels": "reconstruction: share of pixels",
    "kept": "digits that a classifier still recognises after traversals, the paper's protocol",
    "unseen.measures": "reconstruction: share of whole measures, of those not in training",
    "paper.interpretability": "Interpretability, the paper's protocol",
    "paper.scc": "SCC, the paper's protocol",
    "paper.mig": "MIG, the paper's protocol",
    "paper.sap": "SAP, the paper's protocol",
    "control_mean": "control, latent mode: Spearman(requested, realised)",
    "control": "control, latent mode: the worst attribute",
    "drift": "drift, latent mode: |Spearman| with unrelated attributes, minus what chance gives",
    "drift_plain": "drift, latent mode: |Spearman| as it is",
    "pitches": "share of kept onsets whose pitch an edit keeps, latent mode",
    "guided.exact_mean": "requests met exactly, guided mode",
    "guided.ticks": "share of the ticks kept, guided mode",
    "leakage": "leakage: R2 of the best probe of the other dimensions",
    "nats": "nats a measure, from its context alone",
    "overlap": "prior: overlap of the worst attribute's dimension with N(0, 1)",
    "valid": "share of prior samples that are valid measures",
}
OF_CODES = ("paper.interpretability", "paper.scc", "paper.mig", "paper.sap")  # they say nothing about given codes
GIVEN = "given"  # instead of a metric of codes that are computed from the attribute values
EACH = {"control": "control", "exact": "exact", "leakage": "leakage", "overlap": "prior"}  # figures per attribute


@dataclass(frozen=True)
class Judged:
    """The parts of an evaluation that the card shows."""

    corpus: str
    part: str
    counts: Mapping[str, int]
    headline: Mapping[str, float | None]  # None for a figure that could not be measured
    given: bool = False  # whether the decoder gets codes that are computed from the attribute values


def evaluation_of(model: Checkpoint) -> Judged | None:
    """The stored evaluation of these weights, or None. Raises CheckpointError for a file that is not an evaluation."""
    if model.path is None:
        return None
    path = evaluation_path(model.path)
    if not path.is_file():
        return None
    try:
        body = json.loads(path.read_text("utf-8"))
        about = body["about"]
        digest = about["digest"]
        given = any(scale.given for scale in model.metadata.scales)
        found = Judged(str(about["corpus"]), str(about["part"]), dict(body["counts"]), dict(body["headline"]), given)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"it is not an evaluation ({type(error).__name__}: {error})",
            where=str(path),
            remedy="write it again with arvae evaluate --json, or remove it",
        ) from error
    return found if digest == model.digest else None


def evaluation_path(model: Path) -> Path:
    """The file that stores the evaluation of a model's file."""
    return model.with_name(EVALUATION_FILE if model.name == MODEL_FILE else f"{model.stem}.evaluation.json")


def figures(judged: Judged) -> dict[str, str]:
    """The figures that the card shows, as text, by their descriptions."""
    known = {name: judged.headline[name] for name in SHOWN if name in judged.headline}
    shown = {SHOWN[name]: "-" if value is None else f"{value:.3f}" for name, value in known.items()}
    return shown | {SHOWN[name]: GIVEN for name in OF_CODES if judged.given and name in known}


def card(name: str, model: Checkpoint, judged: Judged | None) -> str:
    """The section of one model, as Markdown."""
    meta = model.metadata
    made, training = meta.provenance, meta.training
    parameters = sum(weights.size for weights in model.weights.values())
    meters = ", ".join(f"{count:,} in {meter}" for meter, count in meta.meters.items())
    facts = {
        "digest": model.digest,
        "parameters": f"{parameters:,}",
        "dimensions": ", ".join(f"{key} {value}" for key, value in meta.dims.items()),
        "trained on": f"{made.get('corpus', 'unknown')}{f': {meters or _images(made)}' if meters or made else ''}",
        "licence of the training data": made.get("licence", "unknown"),
        "objective": training.get("objective", "ar-vae"),
        "training": f"{_steps(training)}, {_minutes(training):.0f} minutes{_device(training)}, "
        f"seed {training.get('seed', '?')}, arvae {made.get('arvae', '?')}, {made.get('made', '?')}",
    }
    if "refined" in training:  # scripts/refine_model.py
        facts["then, on a CPU"] = "; ".join(_round(one) for one in training["refined"])
    lines = [f"## {name}", "", *(f"- {key}: {value}" for key, value in facts.items()), ""]
    return "\n".join([*lines, *_sliders(model, judged), "", *_measured(judged), ""])


def _round(made: Mapping[str, Any]) -> str:
    # Earlier versions of refine_model.py recorded no weights and trained only the decoder.
    last = "decoder and flow" if made.get("weights", {}).get("flow", 0) else "the decoder alone"
    minutes = {"all of it": made["minutes"], "the flow alone": made["flow_minutes"]}
    minutes[last] = made.get("decoder_minutes", 0)
    parts = ", ".join(f"{what} {count:g} minutes" for what, count in minutes.items() if count)
    return f"{parts}, steps of {made['batch']}"


def _steps(training: Mapping[str, Any]) -> str:
    batch = f" of {training['batch']}" if "batch" in training else ""  # scripts/train_all.py counts tokens instead
    return f"{training.get('steps', '?')} steps{batch}"


def _minutes(training: Mapping[str, Any]) -> float:
    if "seconds" in training:
        return float(training["seconds"]) / 60
    return float(training.get("minutes", 0)) + float(training.get("align_minutes", 0))


def _device(training: Mapping[str, object]) -> str:
    device = training.get("device", "cpu")
    return "" if device == "cpu" else f" of {device}"


def _images(made: Mapping[str, object]) -> str:
    return f"{made['images']:,} of {made.get('source', 'unknown')}" if "images" in made else "unknown"


def _sliders(model: Checkpoint, judged: Judged | None) -> list[str]:
    scales = model.metadata.scales
    carried = [scale for scale in scales if scale.dimension != NOT_CARRIED]
    rows = [("slider", "dimension", "mean", "+1 is", *(EACH.values() if judged else ()))]
    for scale in carried:
        own = [judged.headline.get(f"{key}.{scale.name}") for key in EACH] if judged else []
        text = ["-" if value is None else f"{value:.3f}" for value in own]
        rows.append((scale.name, str(scale.dimension), f"{scale.mean:.3f}", f"{scale.sd:.3f}", *text))
    measured = [scale.name for scale in scales if scale.dimension == NOT_CARRIED]
    also = [f"\nMeasured only, moved by the guided mode: {', '.join(measured)}."] if measured else []
    return [*table(rows), *also]


def _measured(judged: Judged | None) -> list[str]:
    if judged is None:
        return ["Not evaluated: no result of `arvae evaluate` is stored next to these weights."]
    counts = judged.counts
    unseen = f", {counts['unseen']} of which do not occur in training" if "unseen" in counts else ""
    kind = "distinct examples" if unseen else "examples"
    head = f"Measured on {counts['evaluated']} {kind} of the {judged.part} part of {judged.corpus}{unseen}:"
    return [head, "", *table([("figure", "value"), *figures(judged).items()])]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table, its heading first."""
    head, *body = (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return [head, "|" + "---|" * len(rows[0]), *body]


def page(sections: Mapping[str, tuple[Checkpoint, Judged | None]]) -> str:
    """The text of docs/models.md."""
    return "\n".join(
        [
            "# The models that come with arvae",
            "",
            "Written by `python scripts/make_model_card.py` from the models and their evaluations in",
            "`arvae_music/models`. `arvae models info NAME` shows most of it.",
            "",
            "| model | what it is |",
            "|---|---|",
            "| `all` | the default: an AR-VAE of measures in context, for melodies of one voice |",
            "| `bach`, `folk` | conditional VAEs of single measures (objective `aligned`) |",
            "| `mnist`, `sprites` | AR-VAEs of pictures, for research: 28 x 28 digits, 64 x 64 shapes |",
            "",
            "`all` (objective `contextual`) sees each measure among its neighbours, the meter, the mode and the place",
            "in the tune. Its encoder learns the attribute dimensions through the loss of the AR-VAE paper. It was",
            "trained on chorale melodies, Irish, Scottish and American tunes, the Essen collection of folksongs",
            "(mostly German, some Lothringian and Chinese) and smaller collections. `scripts/train_all.py` trains it:",
            "27 minutes on one core, and 13 minutes more for the alignment, in which the decoder learns from its own",
            "decodes that reach the requested values. The packaged file was made by an earlier form of this script,",
            "with the same mathematics and settings, so a new training does not give the same weights.",
            "",
            "`bach` and `folk` see one measure at a time. Their decoder is given codes that are computed from the",
            "measured attributes, as normal scores. SCC, Interpretability, MIG and SAP would describe this",
            f"computation and not the model, so that the tables say *{GIVEN}*.",
            "",
            "**Licence of the data.** All music comes from the scores that music21 installs, and none of it is part of",
            "arvae. music21 writes that the music is out of copyright in the United States or licensed, that some",
            "encodings may bar commercial use, and that licences in the folders and files say more. Of the folders",
            "below, only `essenFolksong` has one, and the authors of arvae found none in the scores of the others.",
            "`all` was trained on four corpora, `folk` and `bach` on the one of their name:",
            "",
            "| corpus | music21's folders | terms |",
            "|---|---|---|",
            "| `bach` | `bach` | music21's general ones, as above |",
            "| `folk` | `ryansMammoth`, `oneills1850`, `airdsAirs` | the same |",
            "| `misc` | `miscFolk`, `nottingham-dataset` | the same |",
            "| `essen` | `essenFolksong` | unclear |",
            "",
            "music21's licence for the Essen collection says that its legal status is unclear, because many people",
            "entered the data, and that Ewa Dahlig-Turek, who took over the project, permits non-commercial",
            "distribution and use of these files in music21. Another distribution of the same songs, by CCARH in the",
            "format kern, has stricter terms: academic research only. Neither says anything about models that are",
            "trained on the songs. arvae cannot clear this up: for commercial work, choose `folk` or `bach`, and",
            "check their terms too.",
            "",
            "All music models know mostly European tunes in major, minor and modal keys. They do not compose, and",
            "they reconstruct other music badly. The figures are means over measures of held-out tunes, so your",
            "melody may fare better or worse.",
            "",
            "The figures mean the following ([results.md](results.md) has all definitions):",
            "",
            "- +1 is: the standard deviation (sd) of the attribute in the training data, as a raw value. In an edit,",
            "  an sd counts within its meter.",
            "- control: rank correlation of requested and realised values, for a single decode (`--mode latent`).",
            "- exact: share of requests that a single decode meets to the note, to the semitone, or, for rhythm, to",
            "  half the weight of an eighth note. The default mode, guided, searches until it meets them; the search",
            "  makes the edits exact, not the network.",
            "- leakage: how well the latent dimensions that carry no attribute predict it (R2), as the decoder gets",
            "  them. 0 is ideal. In `bach` and `folk`, an edit keeps dimensions behind a flow, which have less of it.",
            "- nats a measure, from its context alone: how much the measure surprises a model that sees everything",
            "  around it. Less is better. One nat is 1.44 bits.",
            "- prior: overlap of the attribute's latent dimension with N(0, 1). 1 is ideal.",
            "",
            *(card(name, *found) for name, found in sections.items()),
        ]
    )
