"""Checkpoints: one `.safetensors` file with weights, and everything else as JSON in its metadata. No pickle.

The JSON (key "arvae") holds the format version, the kind (`KINDS`) and dimensions of the model, the vocabulary of a
model of measures, the attributes it carries (`Scale`: name, latent dimension, corpus statistics, calibration), their
correlations, the meters of its corpus, how it was trained, where it comes from, and the weights' digest. Loading checks
all of it and says what is wrong. Reading one needs numpy only: PyTorch is for training. Numbers that half precision
holds as they are stand in the file so, which is all weights of a model that was trained (carried.py); they are single
precision when read.

Besides the attributes that the model carries, the statistics of the other built-in ones are kept, so that the
edit engine can move those too, by measurement alone.

Statistics are the TRAINING measures', in the attribute's raw value; `Scale` and its calibration are scales.py's.
"""

from __future__ import annotations

import difflib
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
from ..errors import CheckpointError, UsageError
from ..system.files import write_whole
from ..version import __version__
from .combinations import Combinations
from .metadata import Metadata
from .scales import Scale

FORMAT = 1
KINDS = ("measures", "images")
KEY = "arvae"
COMBINATIONS = "combinations"  # the tensor of (n, 1 + k) groups and values: Metadata.combinations
DIGEST = "weights"  # in the JSON: `Checkpoint.digest` when it was written
HALF = (-65504.0, 65504.0)  # what half precision holds
MODEL_FILE = "model.safetensors"  # in a run folder
PACKAGED = Path(__file__).parent.parent / "models"

S = TypeVar("S")


@dataclass(frozen=True)
class Checkpoint:
    metadata: Metadata
    weights: Mapping[str, Floats]
    path: Path | None = None

    @property
    def name(self) -> str:
        """What people call the model: a file's name, a run folder's for the model in it."""
        if self.path is None:
            return "unsaved"
        return self.path.parent.name if self.path.name == MODEL_FILE else self.path.stem

    @cached_property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that stand for the weights and gains: reports and manifests name a model by it."""
        sum_ = hashlib.sha256()
        for name, tensor in sorted(self.tensors.items()):
            sum_.update(name.encode() + tensor.tobytes())
        gains = [scale.gain for scale in self.metadata.scales]
        if set(gains) != {1.0}:
            sum_.update(repr(gains).encode())
        return sum_.hexdigest()[:16]

    @property
    def tensors(self) -> dict[str, Floats]:
        """What the file tells: the weights, and the combinations."""
        found = {name: np.ascontiguousarray(value) for name, value in self.weights.items()}
        known = self.metadata.combinations
        return found if known is None else {**found, COMBINATIONS: known.table}


def specs_of(scales: Sequence[Scale], find: Callable[[str], S]) -> tuple[S, ...]:
    """The attributes that a checkpoint names, each by `find`, which raises UsageError where there is none. Raises
    CheckpointError then."""
    specs = []
    for scale in scales:
        try:
            specs.append(find(scale.origin or scale.name))
        except UsageError as error:
            raise CheckpointError(
                f"it was trained with the attribute {scale.name!r}, which is not to be had here ({error.what})",
                remedy="run it where that function can be imported",
            ) from error
    return tuple(specs)


# ------------------------------------------------------------------------------------ files


def write(path: Path, checkpoint: Checkpoint, *, overwrite: bool = False) -> None:
    """Raises OutputError; CheckpointError for numbers that `read` would refuse, before an older file is touched."""
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
    """A packaged model's name, a checkpoint file, or a run folder. Raises CheckpointError."""
    path = find(model)
    with _opened(path) as file:
        body = _body(path, file)
        weights = {name: _single(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  # not a dict
    _check_finite(path, weights)
    metadata = _metadata(path, body)
    if COMBINATIONS in weights:
        metadata = replace(metadata, combinations=_combinations(path, weights.pop(COMBINATIONS), len(metadata.scales)))
    checkpoint = Checkpoint(metadata, weights, path)
    if DIGEST in body and body[DIGEST] != checkpoint.digest:  # models of arvae's first days have none
        raise CheckpointError("its weights are not those that were written", where=str(path), remedy="copy it anew")
    return checkpoint


def halved(value: Floats) -> Floats:
    """The nearest numbers that half precision holds, in the precision of `value`; whole numbers as they are."""
    if value.dtype.kind != "f":
        return value
    found: Floats = np.clip(value, *HALF).astype(np.float16).astype(value.dtype)
    return found


def _stored(value: Floats) -> Floats:
    """In half precision, if that loses nothing."""
    lossless = value.dtype == np.float32 and np.array_equal(value, halved(value))
    return value.astype(np.float16) if lossless else value


def _single(value: Floats) -> Floats:
    return value.astype(np.float32) if value.dtype == np.float16 else value


def describe(path: Path) -> Metadata:
    """The metadata alone, checked; quick. Raises CheckpointError."""
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
        raise _not_ours(path, "its metadata are no table")
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
        raise _not_ours(path, f"its combinations are {table.shape}, and it has {attributes} attributes")
    return Combinations.of(table)


def find(model: str | Path) -> Path:
    """The file of a packaged model's name, of a run folder, or the file itself. Raises CheckpointError."""
    path = Path(model)
    if path.is_dir() and (path / MODEL_FILE).is_file():
        return path / MODEL_FILE
    if path.is_file():
        return path
    packaged = PACKAGED / f"{model}.safetensors"
    if packaged.is_file():
        return packaged
    known = packaged_names()
    close = difflib.get_close_matches(str(model), known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"name a file, a run folder, or one of: {', '.join(known)}"
    raise CheckpointError(f"there is no model {str(model)!r}", remedy=hint)


def packaged_names(kind: str | None = None) -> list[str]:
    """The models that come with arvae: all, or those of one kind."""
    paths = sorted(PACKAGED.glob("*.safetensors"))
    return [path.stem for path in paths if kind is None or _kind(path, path.stat().st_mtime_ns) == kind]


@lru_cache(maxsize=64)
def _kind(path: Path, changed: int) -> str:
    """Read once, and again when the file has changed: a batch asks for every file."""
    return describe(path).kind


def expect(checkpoint: Checkpoint, kind: str) -> None:
    """Raises CheckpointError for a model of another kind."""
    found = checkpoint.metadata.kind
    if found != kind:
        names = ", ".join(packaged_names(kind))
        raise CheckpointError(
            f"it is a model of {found}, and here is one of {kind} wanted",
            where=str(checkpoint.path or "the model"),
            remedy=f"there are {names}" if names else "train one with arvae train",
        )


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        raise _not_ours(path, f"it is not a whole safetensors file ({error})") from error


def _check_finite(path: Path, weights: Mapping[str, Floats]) -> None:
    for name, value in weights.items():
        if not np.isfinite(value).all():
            raise CheckpointError(f"{name} holds numbers that are not finite", where=str(path), remedy="train anew")


def _check(path: Path, body: Mapping[str, Any]) -> None:
    if body.get("format") != FORMAT:
        raise CheckpointError(
            f"its format is {body.get('format')}, and this arvae {__version__} reads {FORMAT}",
            where=str(path),
            remedy=f"use the arvae that wrote it ({body.get('version', 'unknown')}) or train anew",
        )
    if body.get("kind") not in KINDS:
        raise _not_ours(path, f"it is a model of {body.get('kind')!r}, not of {' or '.join(KINDS)}")


def _not_ours(path: Path, what: str) -> CheckpointError:
    return CheckpointError(what, where=str(path), remedy="name another with model=..., or train anew")


def _matrix(rows: Sequence[Sequence[float]], size: int) -> tuple[tuple[float, ...], ...]:
    matrix = tuple(tuple(float(x) for x in row) for row in rows)
    if len(matrix) != size or any(len(row) != size for row in matrix):
        raise ValueError("a correlation matrix of another size")
    return matrix
