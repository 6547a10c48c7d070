"""Whole tunes for the judges: their measures with upbeats, the ends of their phrases, and who may see which of them.

A judge must not be trained on what it judges, nor on what a model under judgement was trained on. So the tunes that the
models' training never sees, the validation and test parts of the split (vae/examples.py), are divided again, by a hash
of the cluster, so that nearly equal tunes stay together:

    jury        half of the validation tunes and half of the test tunes: they train the judges of likelihood
    valid       the rest of the validation tunes: for choosing between engines
    test        the rest of the test tunes: for judging what was chosen

The jury of a corpus is joined with those of the other built corpora, because half a fifth of a small corpus teaches a
judge little. Real measures to compare with come from all tunes of the corpus but the judged ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arvae_music.corpora import bach, registry, store
from arvae_music.errors import ArvaeError
from arvae_music.io.midi import Song
from arvae_music.io.notation import to_midi
from arvae_music.io.scores import read_any, read_parts
from arvae_music.music.melody import Bar, Melody
from arvae_music.music.meter import Meter
from arvae_music.music.tokens import onsets
from arvae_music.system.files import write_whole
from arvae_music.vae.examples import Examples, split, spread

from .chords import Bits, harmony_of
from .phrases import Place, usual_ends

JURY = "jury"
FEWEST_MEASURES = 6


@dataclass(frozen=True, eq=False)
class Tune:
    """A tune and what the judges know of it. `song` and `harmony` are those of a file with other tracks, if any."""

    number: int
    name: str
    melody: Melody
    cluster: int
    part: str  # train, jury, valid or test
    ends: tuple[Place, ...]  # the last notes of phrases, without the last of the tune
    song: Song | None = None
    harmony: Sequence[Bits | None] | None = None

    @property
    def editable(self) -> list[int]:
        """The measures that can be edited and hold a note."""
        bars = self.melody.bars
        return [i for i, bar in enumerate(bars) if bar.tokens is not None and onsets(bar.tokens).any()]


def load(corpus: str, part: str | None = None) -> list[Tune]:
    """The tunes of a built corpus, or of one part of it. Raises CorpusError."""
    table = store.read_table(store.path_of(corpus))
    names, numbers = table["piece"].to_pylist(), table["measure"].to_pylist()
    meters, tokens = table["meter"].to_pylist(), table["tokens"].to_pylist()
    shifts, fifths = table["shift"].to_pylist(), table["fifths"].to_pylist()
    rows: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        rows.setdefault(name, []).append(i)
    clusters = {name: registry.piece_number(name) for name in rows}
    parts = _parts(list(clusters.values()))
    found = []
    for number, (name, at) in enumerate(rows.items()):
        if part not in (None, parts[clusters[name]]):
            continue
        bars = []
        for i in at:
            meter = Meter.from_code(meters[i])
            bars.append(Bar(numbers[i], meter.name, 0, 0, meter, np.array(tokens[i], dtype=np.int16)))
        melody = renumbered(Melody(name, tuple(bars), shifts[at[0]], fifths[at[0]]))
        ends = tuple(usual_ends(melody))
        found.append(Tune(number, name, melody, clusters[name], parts[clusters[name]], ends))
    return found


def renumbered(melody: Melody) -> Melody:
    """The same melody with measures counted from 1, or from 0 for an upbeat, so that every number occurs once."""
    first = 0 if melody.bars and melody.bars[0].number == 0 else 1
    return replace(melody, bars=tuple(replace(bar, number=first + i) for i, bar in enumerate(melody.bars)))


def _parts(clusters: Sequence[int]) -> dict[int, str]:
    """The part of each cluster."""
    numbers = np.unique(np.array(clusters, dtype=np.int64))
    empty = np.zeros((len(numbers), 0), dtype=np.float32)
    halves = split(Examples(empty, empty, (), numbers))
    found = dict.fromkeys(numbers.tolist(), "train")
    for part in ("valid", "test"):
        for cluster in getattr(halves, part).pieces.tolist():
            found[cluster] = JURY if _is_juror(cluster) else part
    return found


def _is_juror(cluster: int) -> bool:
    return bool(blake2b(f"jury:{cluster}".encode(), digest_size=1).digest()[0] % 2)


def training_rows(tunes: Sequence[Tune]) -> dict[Meter, npt.NDArray[np.int16]]:
    """The measures (m, t) of the training tunes, by meter."""
    rows: dict[Meter, list[npt.NDArray[np.int16]]] = {}
    for tune in tunes:
        for bar in tune.melody.bars if tune.part == "train" else ():
            if bar.meter is not None and bar.tokens is not None:
                rows.setdefault(bar.meter, []).append(bar.tokens)
    return {meter: np.stack(some) for meter, some in rows.items()}


def chosen(tunes: Sequence[Tune], part: str, most: int | None = None) -> list[Tune]:
    """The tunes of a part that are long enough to be judged, one of each cluster; at most `most`, evenly spread."""
    one_each = {tune.cluster: tune for tune in reversed(tunes) if tune.part == part}
    found = [tune for tune in one_each.values() if len(tune.editable) >= FEWEST_MEASURES][::-1]
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
    if not kept.is_file():
        data, _ = to_midi(read_parts(path, str(path))[1])
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, data, overwrite=True)
    try:
        return Song.read(kept.read_bytes(), name=piece, track="Soprano")
    except ArvaeError:
        return None


def of_song(song: Song, number: int) -> Tune | None:
    """A song as a tune; None if its other tracks are silent in more than half of its measures, or it is short."""
    harmony = harmony_of(song)
    heard = [sounding is not None and bool(sounding.any()) for sounding in harmony]
    tune = Tune(number, song.name, song.melody, number, "test", tuple(usual_ends(song.melody)), song, harmony)
    return tune if len(tune.editable) >= FEWEST_MEASURES and 2 * sum(heard) >= len(heard) else None
