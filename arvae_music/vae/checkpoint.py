"""Checkpoints: one `.safetensors` file with the weights, and with everything else as JSON in its metadata. No pickle.

The JSON (key "arvae") holds the version of the format, the kind (`KINDS`) and dimensions of the model, the vocabulary
of a model of measures, its attributes (`Scale`: name, latent dimension, corpus statistics, calibration), their
correlations, the meters of its corpus, how it was trained, where it comes from, and the digest of the weights. Loading
checks all of it and reports what is wrong. It needs numpy only, because PyTorch is for training.

A tensor is stored in half precision if that loses nothing, which is so for all weights of a trained model
(training/calibration.py rounds them); reading turns it into single precision.

A model of measures also has the statistics of the built-in attributes that have no latent dimension, so that the edit
engine can move those too, by measuring candidates. All statistics are of the training data, in raw attribute values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ..arrays import Floats
from ..errors import CheckpointError, UsageError, nearest_or
from ..system.files import write_whole
from ..version import __version__
from . import hub
from .combinations import Combinations
from .hub import MODEL_FILE as MODEL_FILE
from .metadata import Metadata
from .scales import Scale

FORMAT = 1
KINDS = ("measures", "images")
KEY = "arvae"
COMBINATIONS = "combinations"  # the name of the tensor that holds Combinations.table
DIGEST = "weights"  # the key in the JSON of the `Checkpoint.digest` at the time of writing
HALF = (-65504.0, 65504.0)  # the range of half precision
PACKAGED = Path(__file__).parent.parent / "models"

S = TypeVar("S")


@dataclass(frozen=True)
class Checkpoint:
    metadata: Metadata
    weights: Mapping[str, Floats]
    path: Path | None = None

    @property
    def name(self) -> str:
        """The name of the file without its suffix; the folder's name for a model in a run folder; an address of the
        Hub."""
        if self.path is None:
            return "unsaved"
        if self.path.name != MODEL_FILE:
            return self.path.stem
        return hub.name_of(self.path) or self.path.parent.name

    @cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits, a hash of tensors and gains, by which reports and manifests identify the
        model."""
        sum_ = hashlib.sha256()
        for name, tensor in sorted(self.tensors.items()):
            sum_.update(name.encode() + tensor.tobytes())
        gains = [scale.gain for scale in self.metadata.scales]
        if set(gains) != {1.0}:
            sum_.update(repr(gains).encode())
        return sum_.hexdigest()[:16]

    @property
    def tensors(self) -> dict[str, Floats]:
        """The tensors of the file: the weights, and the table of combinations, if there is one."""
        found = {name: np.ascontiguousarray(value) for name, value in self.weights.items()}
        known = self.metadata.combinations
        return found if known is None else {**found, COMBINATIONS: known.table}


def specs_of(scales: Sequence[Scale], find: Callable[[str], S]) -> tuple[S, ...]:
    """The attributes that a checkpoint names, found by `find`. Raises CheckpointError for one that `find` rejects with
    a UsageError."""
    specs = []
    for scale in scales:
        try:
            specs.append(find(scale.origin or scale.name))
        except UsageError as error:
            raise CheckpointError(
                f"it was trained with the attribute {scale.name!r}, which cannot be imported here ({error.what})",
                remedy="run arvae where that function can be imported",
            ) from error
    return tuple(specs)


# ------------------------------------------------------------------------------------ files


def write(path: Path, checkpoint: Checkpoint, *, overwrite: bool = False) -> None:
    """Write a checkpoint in one step. Raises OutputError if the file cannot be written, and CheckpointError, before it
    touches an older file, for numbers that `read` would refuse."""
    metadata = checkpoint.metadata
    body: dict[str, Any] = {"format": FORMAT, "version": __version__, DIGEST: checkpoint.digest}
    body |= asdict(replace(metadata, combinations=None))
    del body[COMBINATIONS]
    if not metadata.tokens:
        del body["tokens"]
    tensors = checkpoint.tensors
    _check_finite(path, tensors)
    try:
        for entry in body["scales"]:
            Scale.from_json(entry)
    except ValueError as error:
        raise CheckpointError(f"cannot be written ({error} are not finite)", where=str(path)) from error
    stored = {name: _stored(value) for name, value in tensors.items()}
    write_whole(path, save(stored, metadata={KEY: json.dumps(body)}), overwrite=overwrite)


def read(model: str | Path) -> Checkpoint:
    """Read a bundled model by name, a checkpoint file, the model in a run folder, or one on the Hub (hf://owner/name).
    Raises CheckpointError."""
    path = find(model)
    with _opened(path) as file:
        body = _body(path, file)
        weights = {name: _single(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  # not a dict
    _check_finite(path, weights)
    metadata = _metadata(path, body)
    _refuse_foreign_code(path, metadata)
    if COMBINATIONS in weights:
        metadata = replace(metadata, combinations=_combinations(path, weights.pop(COMBINATIONS), len(metadata.scales)))
    checkpoint = Checkpoint(metadata, weights, path)
    if DIGEST in body and body[DIGEST] != checkpoint.digest:  # the oldest models have none
        what = "its weights do not match its checksum: the file was damaged or changed"
        raise CheckpointError(what, where=str(path), remedy="copy it again from its source")
    return checkpoint


def _refuse_foreign_code(path: Path, metadata: Metadata) -> None:
    """Raise CheckpointError for a model of the Hub that names a function of its own, which would be imported."""
    origins = [scale.origin for scale in metadata.scales if scale.origin]
    if origins and (address := hub.name_of(path)):
        raise CheckpointError(
            f"it needs the function {origins[0]}, and arvae imports no code for a model of the Hub",
            where=address,
            remedy=f"if you trust the model and the function, copy {path} and give the copy",
        )


def halved(value: Floats) -> Floats:
    """The values rounded to half precision, in the type of `value`. Arrays of integers stay as they are."""
    if value.dtype.kind != "f":
        return value
    found: Floats = np.clip(value, *HALF).astype(np.float16).astype(value.dtype)
    return found


def _stored(value: Floats) -> Floats:
    """The values in half precision if that loses nothing, otherwise as they are."""
    lossless = value.dtype == np.float32 and np.array_equal(value, halved(value))
    return value.astype(np.float16) if lossless else value


def _single(value: Floats) -> Floats:
    return value.astype(np.float32) if value.dtype == np.float16 else value


def describe(path: Path) -> Metadata:
    """Read and check only the metadata, which is quick. Raises CheckpointError."""
    with _opened(path) as file:
        return _metadata(path, _body(path, file))


def _body(path: Path, file: Any) -> dict[str, Any]:
    text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise _not_ours(path, "it is a safetensors file, but not an arvae model")
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise _not_ours(path, f"its metadata cannot be read ({error})") from error
    if not isinstance(body, dict):
        raise _not_ours(path, "its metadata are not a JSON object")
    _check(path, body)
    return body


def _metadata(path: Path, body: Mapping[str, Any]) -> Metadata:
    try:
        found = tuple(Scale.from_json(entry) for entry in body["scales"])
        return Metadata(
            kind=body["kind"],
            tokens=dict(body.get("tokens") or {}),
            dims=dict(body["dims"]),
            scales=found,
            correlation=_matrix(body["correlation"], len(found)),
            code_correlation=_matrix(body["code_correlation"], len(found)),
            meters=dict(body["meters"]),
            training=dict(body["training"]),
            provenance=dict(body["provenance"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _not_ours(path, f"its metadata are incomplete ({error})") from error


def _combinations(path: Path, table: Floats, attributes: int) -> Combinations:
    if table.ndim != 2 or table.shape[1] != 1 + attributes:
        raise _not_ours(path, f"its table of combinations is {table.shape}, which does not fit {attributes} attributes")
    return Combinations.of(table)


def find(model: str | Path) -> Path:
    """The file of a model: a bundled model by its name, the model in a run folder, the file itself, or the copy of a
    model on the Hub (`hub.fetch`). Raises CheckpointError if there is none."""
    if str(model).startswith(hub.PREFIX):
        return hub.fetch(str(model))
    path = Path(model)
    if path.is_dir() and (path / MODEL_FILE).is_file():
        return path / MODEL_FILE
    if path.is_file():
        return path
    packaged = PACKAGED / f"{model}.safetensors"
    if packaged.is_file():
        return packaged
    known = packaged_names()
    remedy = nearest_or(str(model), known, f"name a file, a run folder, or one of: {', '.join(known)}")
    raise CheckpointError(f"there is no model {str(model)!r}", remedy=remedy)


def packaged_names(kind: str | None = None) -> list[str]:
    """The names of the bundled models, all or those of one kind."""
    paths = sorted(PACKAGED.glob("*.safetensors"))
    return [path.stem for path in paths if kind is None or _kind(path, path.stat().st_mtime_ns) == kind]


@lru_cache(maxsize=64)
def _kind(path: Path, changed: int) -> str:
    """The kind of a model, read again only when its file changes: batches call this for each of their files."""
    return describe(path).kind


def expect(checkpoint: Checkpoint, kind: str) -> None:
    """Raises CheckpointError for a model of another kind."""
    found = checkpoint.metadata.kind
    if found != kind:
        names = ", ".join(packaged_names(kind))
        raise CheckpointError(
            f"it is a model of {found}, but this needs a model of {kind}",
            where=str(checkpoint.path or "the model"),
            remedy=f"bundled models of {kind} are {names}" if names else "train one with arvae train",
        )


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        raise _not_ours(path, f"it is not a complete safetensors file ({error})") from error


def _check_finite(path: Path, weights: Mapping[str, Floats]) -> None:
    for name, value in weights.items():
        if not np.isfinite(value).all():
            what = f"its tensor {name} holds numbers that are not finite"
            raise CheckpointError(what, where=str(path), remedy="train it again")


def _check(path: Path, body: Mapping[str, Any]) -> None:
    if body.get("format") != FORMAT:
        raise CheckpointError(
            f"its format is {body.get('format')}, but arvae {__version__} reads format {FORMAT}",
            where=str(path),
            remedy=f"use the version of arvae that wrote it ({body.get('version', 'unknown')}), or train it again",
        )
    if body.get("kind") not in KINDS:
        raise _not_ours(path, f"it is a model of {body.get('kind')!r}, not of {' or '.join(KINDS)}")


def _not_ours(path: Path, what: str) -> CheckpointError:
    return CheckpointError(what, where=str(path), remedy="name another with model=..., or train one")


def _matrix(rows: Sequence[Sequence[float]], size: int) -> tuple[tuple[float, ...], ...]:
    matrix = tuple(tuple(float(x) for x in row) for row in rows)
    if len(matrix) != size or any(len(row) != size for row in matrix):
        raise ValueError("a correlation matrix has the wrong size")
    return matrix
