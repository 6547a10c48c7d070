"""Whole tunes for the judges: their measures with upbeats, the ends of their phrases, and who may see which of them.

A judge of likelihood must not be trained on what it judges, nor on what a model under judgement was trained on. So the
tunes that the models' training never sees, the validation and test parts of the split (vae/examples.py), are divided
into two halves, by a hash of the cluster, so that nearly equal tunes stay together. Each half is judged by judges that
were trained on the other one. They are joined by at most MOST_OTHERS tunes of the same half of each other built corpus,
without tunes that have a twin among the judged ones, because a tenth of a small corpus teaches a judge little.

An engine is chosen on validation tunes and judged on test tunes. Real measures to compare with come from all other
parts of the corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arvae_music.corpora import bach, corpus, registry, store
from arvae_music.corpora.clusters import clusters_of, sketch_of
from arvae_music.corpora.shelves import WholeTune
from arvae_music.errors import ArvaeError
from arvae_music.io.midi import Song
from arvae_music.io.scores import read_any
from arvae_music.music.melody import Bar, Melody
from arvae_music.music.meter import Meter
from arvae_music.music.reasons import Reason
from arvae_music.music.tokens import onsets
from arvae_music.system.files import write_whole
from arvae_music.vae.examples import spread

from .chords import Bits, harmony_of
from .matching import Triple, is_inner, triple
from .phrases import Place, last_note, usual_ends

FEWEST_MEASURES = 6
MOST_OTHERS = 200  # tunes of another corpus that train a judge


@dataclass(frozen=True, eq=False)
class Tune:
    """A tune and what the judges know of it. `song` and `harmony` are those of a file with other tracks, if any."""

    number: int
    name: str
    melody: Melody
    cluster: int
    part: str  # train, valid or test
    ends: tuple[Place, ...]  # the last notes of phrases, without the last of the tune
    partial: frozenset[int] = frozenset()  # measures that silence fills up: an upbeat, a short last measure
    song: Song | None = None
    harmony: Sequence[Bits | None] | None = None

    @property
    def editable(self) -> list[int]:
        """The measures that can be edited and hold a note."""
        bars = self.melody.bars
        return [i for i, bar in enumerate(bars) if bar.tokens is not None and onsets(bar.tokens).any()]

    @property
    def half(self) -> int:
        """0 or 1: in which half of the held-out tunes it is."""
        return blake2b(f"half:{self.cluster}".encode(), digest_size=1).digest()[0] % 2

    @property
    def inner(self) -> list[int]:
        """The measures with notes that stand between two whole measures of their own meter."""
        near = {i + step for i in self.partial for step in (-1, 0, 1)}
        return [i for i in self.editable if i not in near and is_inner(self.melody, i)]

    def triples(self) -> list[Triple]:
        return [triple(self.melody, i, self.number, self.cluster) for i in self.inner]


def load(corpus: str) -> list[Tune]:
    """The tunes of a built corpus. Raises CorpusError."""
    return [_tune(number, whole) for number, whole in enumerate(registry.tunes(corpus))]


def _tune(number: int, whole: WholeTune) -> Tune:
    tune = whole.tune
    melody = renumbered(Melody(tune.id, tuple(map(_bar, tune.bars)), tune.shift, tune.fifths))
    final = last_note(melody)
    marked = [(i, tick) for i, bar in enumerate(tune.bars) for tick in bar.phrase_ends if bar.tokens is not None]
    ends = [place for place in marked if place != final] if tune.phrased else usual_ends(melody)
    partial = frozenset(i for i, bar in enumerate(tune.bars) if bar.tokens is not None and bar.left_out)
    return Tune(number, tune.id, melody, whole.cluster, whole.part, tuple(ends), partial)


def _bar(bar: corpus.Bar) -> Bar:
    signature = "4/4" if bar.meter is None else bar.meter.name
    reason = None if bar.tokens is not None else Reason.UNSUPPORTED if bar.meter is None else Reason.OFF_GRID
    return Bar(bar.number, signature, 0, 0, bar.meter, bar.tokens, reason)


def renumbered(melody: Melody) -> Melody:
    """The same melody with measures counted from 1, or from 0 for an upbeat, so that every number occurs once."""
    first = 0 if melody.bars and melody.bars[0].number == 0 else 1
    return replace(melody, bars=tuple(replace(bar, number=first + i) for i, bar in enumerate(melody.bars)))


def without_twins(some: Sequence[Tune], judged: Sequence[Tune]) -> list[Tune]:
    """The tunes that are no near equals of a judged one. Clusters are those of one corpus each; this compares tunes of
    different corpora."""
    sketches = [
        sketch_of([bar.tokens for bar in tune.melody.bars if bar.tokens is not None]) for tune in (*judged, *some)
    ]
    joint = clusters_of(sketches).tolist()
    taken = set(joint[: len(judged)])
    return [tune for tune, cluster in zip(some, joint[len(judged) :], strict=True) if cluster not in taken]


def training_rows(some: Sequence[Tune]) -> dict[Meter, npt.NDArray[np.int16]]:
    """The measures (m, t) of the training tunes, by meter."""
    rows: dict[Meter, list[npt.NDArray[np.int16]]] = {}
    for tune in some:
        for bar in tune.melody.bars if tune.part == "train" else ():
            if bar.meter is not None and bar.tokens is not None:
                rows.setdefault(bar.meter, []).append(bar.tokens)
    return {meter: np.stack(of_meter) for meter, of_meter in rows.items()}


def chosen(tunes: Sequence[Tune], part: str, most: int | None = None) -> list[Tune]:
    """The tunes of a part that are long enough to be judged, one of each cluster; at most `most`, evenly spread."""
    one_each: dict[int, Tune] = {}
    for tune in tunes:
        if tune.part == part:
            one_each.setdefault(tune.cluster, tune)
    found = [tune for tune in one_each.values() if len(tune.editable) >= FEWEST_MEASURES]
    return [found[i] for i in spread(len(found), most).tolist()] if most else found


SCORES = (".mid", ".midi", ".mxl", ".xml", ".musicxml", ".krn")


def songs(name: str) -> list[Tune]:
    """The chorales of the corpus bach that no model was trained on, with their lower voices; or the MIDI files and
    scores of a folder that have chords in other tracks than the melody. Files that cannot be read are left out."""
    if name == bach.NAME:
        paths = {work.id: work.path for work in bach.works()}
        held_out = [tune.name for tune in load(name) if tune.part != "train"]
        read = (_chorale(paths[piece], piece) for piece in held_out)
    else:
        files = (path for path in sorted(Path(name).expanduser().rglob("*")) if path.suffix.lower() in SCORES)
        read = (_song(path) for path in files)
    found: list[Tune] = []
    for song in read:
        if song is not None and (tune := of_song(song, len(found))) is not None:
            found.append(tune)
    return found


def _song(path: Path) -> Song | None:
    try:
        return read_any(path)
    except ArvaeError:
        return None


def _chorale(path: Path, piece: str) -> Song | None:
    """A chorale with all voices. It is converted once, and then read from the cache."""
    kept = store.cache_folder().parent / "judges" / f"{piece.replace('/', '-')}.mid"
    try:
        if kept.is_file():
            return Song.read(kept.read_bytes(), name=piece, track="Soprano")
        song = read_any(path, name=piece, track="Soprano")
    except ArvaeError:
        return None
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_whole(kept, song.write(song.melody.rows), overwrite=True)
    return song


def of_song(song: Song, number: int) -> Tune | None:
    """A song as a tune; None if its other tracks are silent in more than half of its measures, or it is short."""
    harmony = harmony_of(song)
    heard = [sounding is not None and bool(sounding.any()) for sounding in harmony]
    ends = tuple(usual_ends(song.melody))
    tune = Tune(number, song.name, song.melody, number, "test", ends, song=song, harmony=harmony)
    return tune if len(tune.editable) >= FEWEST_MEASURES and 2 * sum(heard) >= len(heard) else None
