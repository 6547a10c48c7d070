"""Meters that stand in for those that a model was not trained on.

A model has parameters and statistics for each meter of its training corpus. It treats a measure in another meter as if
it consisted of measures that it knows. The search of the edit engine measures its candidates itself, so its results are
as exact as in other meters, only less idiomatic.

`parts_for` chooses the meters, by these rules:

1. The meter itself, if the model knows it.
2. A meter of as many beats of the same kind at another speed: 12/8 for 12/16, 7/4 for 7/8.
3. Known meters of the same kind (simple or compound) that together have as many beats: few of them, none longer than
   LONGEST beats if that is possible, alike in length, and the longer ones first. 5/4 is 3/4 and 2/4; 7/8 is 4/4 and 3/4
   at twice the speed; 8/4 is twice 4/4; 5/8 is 3/4 and 2/4 at twice the speed.
4. If no sum fits, the last of them is cut short: 1/4 is the first beat of 2/4.
5. Meters of the other kind, if the model knows none of this kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations_with_replacement

from .meter import Meter

LONGEST = 4  # beats of a part, if possible: longer measures of the corpora have groups of two, three or four beats


@lru_cache(maxsize=256)
def parts_for(meter: Meter, known: tuple[Meter, ...]) -> tuple[Meter, ...]:
    """The known meters that stand in for `meter`, in order; `(meter,)` if it is known itself. The last one may have
    more beats than the measure has left. A model that names no meter is taken to know every one."""
    if not known or meter in known:
        return (meter,)
    kind = [one for one in known if one.compound == meter.compound] or list(known)
    alike = sorted((one for one in kind if one.beats == meter.beats), key=lambda one: (one.halved, one))
    if alike:
        return (alike[0],)
    by_beats = {one.beats: one for one in sorted(kind, key=lambda one: -one.halved)}
    short = [beats for beats in by_beats if beats <= LONGEST] or list(by_beats)
    return tuple(by_beats[beats] for beats in _cover(meter.beats, sorted(short)))


def _cover(beats: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """The sizes, in descending order, that cover the beats with the least excess, the fewest parts and the least
    difference between them."""
    fewest = -(-beats // sizes[-1])
    most = -(-beats // sizes[0])
    tried = (
        parts for count in range(fewest, most + 1) for parts in combinations_with_replacement(sizes, count)
        if sum(parts) - parts[0] < beats <= sum(parts)
    )  # fmt: skip
    best = min(tried, key=lambda parts: (sum(parts) - beats, len(parts), parts[-1] - parts[0]))
    return best[::-1]


def places_for(meter: Meter, known: tuple[Meter, ...]) -> list[tuple[Meter, int]]:
    """For each beat of a measure, the meter that stands in for it, and the number of the beat in that meter."""
    places = [(part, beat) for part in parts_for(meter, known) for beat in range(part.beats)]
    return places[: meter.beats]


def known_meters(names: Iterable[str]) -> tuple[Meter, ...]:
    """The meters of these names in order, without those that the grid does not support."""
    return _known_meters(tuple(names))


@lru_cache(maxsize=256)
def _known_meters(names: tuple[str, ...]) -> tuple[Meter, ...]:
    found = []
    for name in names:
        try:
            found.append(Meter.parse(name))
        except ValueError:  # a meter of a later version of arvae
            continue
    return tuple(sorted(found))


def described(found: Mapping[str, Sequence[str]]) -> list[str]:
    """From the names of meters and of those that stand in for each, one sentence for each meter."""
    return [
        f"the model was not trained on {name}; it treats such a measure like {' + '.join(parts)}"
        for name, parts in found.items()
    ]
