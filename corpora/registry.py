"""Find corpora by name, and load those that are built.

    load("bach")          a built corpus; if it is not built, the CorpusError names the command that builds it
    load("bach+folk")     several corpora joined
    load("all")           all built-in corpora joined
    load("~/midi")        the corpus that was built from this folder
    load("my.parquet")    a corpus file from any place

The number of a piece in `CorpusData.pieces` is a hash of its id, and the number of a cluster that of the piece after
which the cluster is named. They stay the same when a corpus is joined with another one, and so the piece stays in the
same part of a split (`examples.split`). Tunes of the training part that have a twin in another corpus' test part are
left out of the joined corpus (shelves.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
from .corpus import Corpus
from .shelves import Shelf, WholeTune, open_shelf, without_twins
from .store import Facts

ALL = "all"  # all built-in corpora, joined


def built_in() -> dict[str, Corpus]:
    """The corpora of music that arvae can build itself."""
    from . import bach, essen, folk, misc

    return {corpus.name: corpus for corpus in (bach.CORPUS, folk.CORPUS, essen.CORPUS, misc.CORPUS)}


def names_of(corpus: str) -> list[str]:
    """The names that a text such as "bach+folk" or "all" joins."""
    return list(built_in()) if corpus == ALL else corpus.split("+")


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
    clusters: Ints  # (n,) the cluster of the piece, which a split keeps together
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
        return replace(
            self,
            inputs=self.inputs[at],
            pieces=self.pieces[at],
            clusters=self.clusters[at],
            shifts=self.shifts[at],
        )

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
        return Examples(here.inputs, values, tuple(spec.name for spec in specs), here.pieces, here.clusters)


def load(name_or_folder: str | Path) -> CorpusData:
    """Load a built corpus by name, folder or file, or several joined by `+`. Raises CorpusError if it is not built, or
    if one is joined twice."""
    return concat([_as_data(shelf) for shelf in _shelves(str(name_or_folder))])


def tunes(name_or_folder: str | Path) -> Iterator[WholeTune]:
    """The whole tunes of built corpora in order, with all their measures and the part of the split they are in.

    Takes the same names as `load`, which leaves out the same tunes. Raises CorpusError.
    """
    for shelf in _shelves(str(name_or_folder)):
        yield from shelf.tunes()


def _shelves(text: str) -> list[Shelf]:
    """The files of the corpora that `text` joins."""
    joins = text == ALL or ("+" in text and not Path(text).expanduser().exists())
    names = names_of(text) if joins else [text]
    shelves = [open_shelf(_built_path(name)) for name in names]
    found = [shelf.facts.name for shelf in shelves]
    if len(set(found)) != len(found):
        raise CorpusError(f"{'+'.join(found)} cannot be joined", remedy="name each corpus once")
    return without_twins(shelves)


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
    """Join several corpora, at least one."""
    return CorpusData(
        facts=tuple(facts for part in parts for facts in part.facts),
        inputs=np.concatenate([part.inputs for part in parts]),
        pieces=np.concatenate([part.pieces for part in parts]),
        clusters=np.concatenate([part.clusters for part in parts]),
        piece_names={piece: name for part in parts for piece, name in part.piece_names.items()},
        titles={piece: title for part in parts for piece, title in part.titles.items()},
        shifts=np.concatenate([part.shifts for part in parts]),
    )


def _as_data(shelf: Shelf) -> CorpusData:
    """The examples of a corpus file."""
    table = shelf.examples()
    tune_of = np.repeat(np.arange(len(shelf.ids)), shelf.examples_of_tunes)
    present = np.unique(tune_of).tolist()
    return CorpusData(
        facts=(shelf.facts,),
        inputs=_packed(table),
        pieces=shelf.pieces[tune_of],
        clusters=shelf.clusters[tune_of],
        piece_names={int(shelf.pieces[at]): shelf.ids[at] for at in present},
        titles={int(shelf.pieces[at]): shelf.titles[at] for at in present},
        shifts=table["shift"].to_numpy().astype(np.int8),
    )


def _packed(table: Any) -> Rows:
    """(n, 1 + MAX_TICKS), like `tokens.pack`, but without a Python loop over the many rows."""
    tokens = table["tokens"].combine_chunks()
    flat = tokens.flatten().to_numpy(zero_copy_only=False).astype(np.int16)
    lengths = np.diff(tokens.offsets.to_numpy())
    inputs = np.full((len(lengths), 1 + MAX_TICKS), PAD, dtype=np.int16)
    inputs[:, 0] = table["meter"].to_numpy()
    inputs[:, 1:][np.arange(MAX_TICKS) < lengths[:, None]] = flat
    return inputs
