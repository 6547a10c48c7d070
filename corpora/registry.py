"""Find corpora by name, and load those that are built.

    load("bach")          a built corpus; if it is not built, the CorpusError names the command that builds it
    load("bach+folk")     several corpora joined
    load("~/midi")        the corpus that was built from this folder
    load("my.parquet")    a corpus file from any place

The number of a piece in `CorpusData.pieces` is a hash of its id. It stays the same when a corpus grows or is joined
with another one, and so the piece stays in the same part of a split (`examples.split`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Array, Ints, Rows
from ..errors import CorpusError, nearest_or
from ..music.attributes import AttributeSpec, evaluate_mixed
from ..music.meter import MAX_TICKS, Meter
from ..music.tokens import PAD, by_meter
from ..vae.examples import Examples
from . import store
from .corpus import Corpus, hashed
from .store import Facts


def built_in() -> dict[str, Corpus]:
    """The corpora of music that arvae can build itself."""
    from . import bach, folk

    return {corpus.name: corpus for corpus in (bach.CORPUS, folk.CORPUS)}


def find(name_or_folder: str | Path, name: str | None = None) -> Corpus:
    """Find a corpus to build: a built-in one, or a folder, which may get another `name`.

    A built-in name takes precedence over a folder of the same name; write such a folder as `./bach`. Raises CorpusError
    for a name or folder that does not exist, and for a name that cannot be used.
    """
    from . import folder, images

    text = str(name_or_folder)
    corpora = built_in()
    if text in corpora:
        if name is not None and name != text:
            raise CorpusError(f"{text!r} cannot get another name", remedy="leave out name=..., which is for folders")
        return corpora[text]
    if not Path(text).expanduser().is_dir():
        raise CorpusError(f"no corpus or folder is called {text!r}", remedy=_hint(text, list(corpora)))
    chosen = folder.corpus(Path(text), name)
    if chosen.name in (*corpora, *images.NAMES):
        raise CorpusError(f"{chosen.name!r} is the name of a built-in corpus", remedy="give another name=...")
    store.path_of(chosen.name)  # raises CorpusError for an invalid name
    return chosen


def _hint(name: str, known: Sequence[str]) -> str:
    return nearest_or(name, known, f"the known ones are {', '.join(known)}; or name a folder of MIDI files and scores")


@dataclass(frozen=True, eq=False, repr=False)
class CorpusData:
    """A corpus in memory. `inputs` (n, 1 + MAX_TICKS) are its measures, packed by `tokens.pack`.

    The width is the same for every corpus, so that corpora can be joined.
    """

    facts: tuple[Facts, ...]  # of each of the joined corpora
    inputs: Rows
    pieces: Ints  # (n,) hash of the piece's id
    piece_names: dict[int, str]  # its id
    titles: dict[int, str]
    shifts: npt.NDArray[np.int8]  # (n,) semitones: token pitch = sounding pitch + shift

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        return f"<CorpusData {self.name!r}: {len(self.piece_names)} tunes, {len(self)} measures>"

    @property
    def name(self) -> str:
        return "+".join(facts.name for facts in self.facts)

    def by_meter(self) -> dict[str, int]:
        """The number of measures of each meter, from the most frequent to the rarest."""
        counts = {meter.name: len(at) for meter, at in by_meter(self.inputs)}
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def take(self, at: Array) -> CorpusData:
        """Some of the measures, with the names of all pieces."""
        return CorpusData(self.facts, self.inputs[at], self.pieces[at], self.piece_names, self.titles, self.shifts[at])

    def examples(self, specs: Sequence[AttributeSpec], meters: Iterable[Meter] | None = None) -> Examples:
        """The input of training: the measures in `meters` (None for all) with their attribute values.

        Raises CorpusError when no measure is in these meters.
        """
        here = self
        if meters is not None:
            wanted = list(meters)
            here = self.take(np.isin(self.inputs[:, 0], [meter.code for meter in wanted]))
            if not len(here):
                missing, present = ", ".join(m.name for m in wanted), ", ".join(self.by_meter())
                raise CorpusError(f"{self.name} has no measure in {missing}", remedy=f"its meters are {present}")
        values = evaluate_mixed(specs, here.inputs).astype(np.float32)
        return Examples(here.inputs, values, tuple(spec.name for spec in specs), here.pieces)


def load(name_or_folder: str | Path) -> CorpusData:
    """Load a built corpus by name, folder or file, or several joined by `+`. Raises CorpusError if it is not built."""
    text = str(name_or_folder)
    if "+" in text and not Path(text).expanduser().exists():
        return concat([load(part) for part in text.split("+")])
    path = _built_path(text)
    return _as_data(store.read_table(path), store.read_facts(path))


def load_facts(name_or_folder: str | Path) -> Facts:
    """The facts of a built corpus alone, without its measures."""
    return store.read_facts(_built_path(str(name_or_folder)))


def built() -> dict[str, Facts]:
    """The corpora in the cache by name. Damaged files are ignored."""
    found: dict[str, Facts] = {}
    for path in sorted(store.cache_folder().glob(f"*{store.SUFFIX}")):
        try:
            found[path.stem] = store.read_facts(path)
        except CorpusError:
            continue
    return found


def _built_path(text: str) -> Path:
    given = Path(text).expanduser()
    if given.suffix == store.SUFFIX and given.is_file():
        return given
    known = built_in()
    if text not in known and given.is_dir():
        return _built_folder(given)
    path = store.path_of(text)
    if path.is_file():
        return path
    if text in known:
        raise CorpusError(f"corpus {text!r} is not built", remedy=f"run: arvae corpus build {text}")
    names = list(dict.fromkeys([*known, *built()]))
    raise CorpusError(f"no corpus is called {text!r}", remedy=_hint(text, names))


def _built_folder(folder: Path) -> Path:
    root = str(folder.resolve())
    for name, facts in built().items():
        if facts.source == root:
            return store.path_of(name)
    raise CorpusError("the folder is not built", where=str(folder), remedy=f"run: arvae corpus build {folder}")


def concat(parts: Sequence[CorpusData]) -> CorpusData:
    """Join several corpora. Raises CorpusError if one of them occurs twice."""
    names = [facts.name for part in parts for facts in part.facts]
    if not parts or len(set(names)) != len(names):
        raise CorpusError(f"{'+'.join(names) or 'nothing'} cannot be joined", remedy="name each corpus once")
    return CorpusData(
        facts=tuple(facts for part in parts for facts in part.facts),
        inputs=np.concatenate([part.inputs for part in parts]),
        pieces=np.concatenate([part.pieces for part in parts]),
        piece_names={piece: name for part in parts for piece, name in part.piece_names.items()},
        titles={piece: title for part in parts for piece, title in part.titles.items()},
        shifts=np.concatenate([part.shifts for part in parts]),
    )


def _as_data(table: Any, facts: Facts) -> CorpusData:
    ids = table["piece"].to_pylist()
    pieces = np.array([piece_number(piece) for piece in ids], dtype=np.int64)
    titles = dict(zip(pieces.tolist(), table["title"].to_pylist(), strict=True))
    shifts = table["shift"].to_numpy().astype(np.int8)
    return CorpusData((facts,), _packed(table), pieces, dict(zip(pieces.tolist(), ids, strict=True)), titles, shifts)


def _packed(table: Any) -> Rows:
    """(n, 1 + MAX_TICKS), like `tokens.pack`, but without a Python loop over the many rows."""
    tokens = table["tokens"].combine_chunks()
    flat = tokens.flatten().to_numpy(zero_copy_only=False).astype(np.int16)
    lengths = np.diff(tokens.offsets.to_numpy())
    inputs = np.full((len(lengths), 1 + MAX_TICKS), PAD, dtype=np.int16)
    inputs[:, 0] = table["meter"].to_numpy()
    inputs[:, 1:][np.arange(MAX_TICKS) < lengths[:, None]] = flat
    return inputs


@lru_cache(maxsize=1 << 16)
def piece_number(piece: str) -> int:
    """The number that stands for a piece's id in arrays."""
    return hashed(piece.encode())
