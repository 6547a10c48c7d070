"""What is judged: engines, by name. An engine is a function from a tune and a request to the edited melody.

    guided         the product: a search from proposals that the model decodes, made exact
    barely         the same at strength 0, with the fewest changes
    freely         the same at strength 1, where likeness to the original costs least
    no-proposals   the same search without the model's proposals
    counts         the same, with a table of counts of the training tunes instead of the network
    shuffled       the same, with the numbers of every weight of the network in random order
    fetched        the same search among real measures of the training tunes that have the requested values
    latent         one decode of a shifted latent code, as in the AR-VAE paper
    prior          one decode of a latent code from N(0, 1) in the context of the neighbours; it ignores the request
    random         random changes in the key that come nearer to the request: the ceiling of what can be told apart
    unedited       the tune as it is: the floor

To judge another engine, add a function to ENGINES that makes it from a Setting. An engine that shares a request for the
mean out over the measures must look at `Ask.each`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from arvae_music.editing.cost import Problem
from arvae_music.editing.edit import edit
from arvae_music.editing.guided import Setting as SearchSetting
from arvae_music.library import Model, one_thread
from arvae_music.music.attributes import evaluate
from arvae_music.music.keys import in_key
from arvae_music.music.melody import Melody
from arvae_music.music.meter import TICKS_PER_BEAT, Meter
from arvae_music.music.tokens import FIRST_PITCH, HOLD, VOCABULARY, onsets, sounding
from arvae_music.networks.decoding import decode_from
from arvae_music.networks.model import prepare
from arvae_music.networks.runtime import State

from .likeness import Ask, goal_of
from .tunes import Tune

Engine = Callable[[Tune, Ask], Melody]
Rows = npt.NDArray[np.int16]

FETCHED = 256  # real measures among which `fetched` chooses
TRIES = 400  # random changes of a measure before `random` gives up
SMOOTHING = 0.5  # the count that every token begins with


@dataclass(frozen=True)
class Setting:
    """From what an engine is made: the model, and the measures of the training tunes by meter, for its counts."""

    model: Model
    training: Mapping[Meter, Rows]


def guided(setting: Setting, **options: Any) -> Engine:
    """`options` are parameters of the request: proposals or strength."""
    return partial(_edited, model=setting.model, options=options)


def latent(setting: Setting) -> Engine:
    return partial(_edited, model=setting.model, options={"mode": "latent"})


def shuffled(setting: Setting) -> Engine:
    random = np.random.default_rng(0)
    checkpoint = setting.model.checkpoint
    weights = {name: random.permutation(value.reshape(-1)).reshape(value.shape) if not name.startswith("flow.side")
               else value for name, value in sorted(checkpoint.weights.items())}  # fmt: skip
    return partial(_edited, model=Model(**vars(prepare(replace(checkpoint, weights=weights)))))


def counts(setting: Setting) -> Engine:
    runtime = Counts(setting.model.runtime.latent, {meter: counted(rows) for meter, rows in setting.training.items()})
    return partial(_edited, model=replace(setting.model, runtime=runtime))


def prior(setting: Setting) -> Engine:
    return partial(_sampled, model=setting.model)


def fetched(setting: Setting) -> Engine:
    def proposed(
        own: SearchSetting, problem: Problem, before: Rows, wanted: npt.NDArray[np.float64], *_: object
    ) -> tuple[npt.NDArray[np.int64], Rows]:
        """Up to FETCHED measures of the training tunes for each measure and request, in random order."""
        real = setting.training[problem.meter]
        values = evaluate(own.model.specs, real, problem.meter)
        draw = np.random.default_rng(own.request.seed)
        groups, rows = [np.zeros(0, dtype=np.int64)], [real[:0]]
        for each in wanted:
            for group, goal in enumerate(each):
                near = np.abs(values - goal) <= own.model.tolerance(problem.meter) * own.model.sd + 1e-9
                at = draw.permutation(np.flatnonzero(np.all(near | np.isnan(goal), axis=1)))[:FETCHED]
                groups.append(np.full(len(at), group))
                rows.append(real[at])
        return np.concatenate(groups), np.concatenate(rows)

    engine = guided(setting)

    def found(tune: Tune, ask: Ask) -> Melody:
        with mock.patch.object(SearchSetting, "proposed", proposed):
            return engine(tune, ask)

    return found


def unedited(setting: Setting) -> Engine:
    return lambda tune, ask: tune.melody


def random(setting: Setting) -> Engine:
    return partial(_randomly, model=setting.model)


ENGINES: dict[str, Callable[[Setting], Engine]] = {
    "guided": guided, "barely": partial(guided, strength=0.0), "freely": partial(guided, strength=1.0),
    "fetched": fetched, "latent": latent, "prior": prior, "no-proposals": partial(guided, proposals=0),
    "counts": counts, "shuffled": shuffled, "random": random, "unedited": unedited,
}  # fmt: skip


# These move each measure by the request, also where the mean of the tune was requested.
PER_MEASURE = frozenset({"latent", "prior", "random", "unedited"})


def _edited(tune: Tune, ask: Ask, *, model: Model, options: Mapping[str, Any] = MappingProxyType({})) -> Melody:
    request = model.request({ask.name: ask.step}, seed=ask.seed, **options)
    bars = [(number, number) for number in (tune.melody.bars[i].number for i in ask.at)]
    with one_thread():
        return edit(tune.melody, replace(request, bars=bars, each=ask.each or request.mode == "latent"), model).melody


def _sampled(tune: Tune, ask: Ask, *, model: Model) -> Melody:
    melody, draw = tune.melody, np.random.default_rng([ask.seed, tune.number])
    contexts = model.contexts(melody.rows, [bar.meter for bar in melody.bars])
    changed: dict[int, Rows] = {}
    for meter, indices, rows in melody.by_meter(ask.at):
        z = draw.standard_normal((len(rows), model.runtime.latent), dtype=np.float32)
        here = () if contexts is None else (contexts.of(indices),)
        state = model.runtime.start(z, meter, *here)
        changed |= dict(zip(indices, decode_from(model.runtime, state, np.arange(len(z)), meter), strict=True))
    return melody.with_rows(changed)


# ------------------------------------------------------------------------------------ counts


def counted(rows: Rows) -> npt.NDArray[np.float32]:
    """Measures (n, t) of one meter -> (t, v, v) log-probabilities of each token by its tick and what sounds before."""
    ticks = rows.shape[1]
    before = np.zeros_like(rows)
    before[:, 1:] = sounding(rows)[:, :-1]
    table = np.zeros((ticks, VOCABULARY, VOCABULARY))
    np.add.at(table, (np.broadcast_to(np.arange(ticks), rows.shape), before, rows), 1.0)
    by_tick = table.sum(axis=1, keepdims=True) + SMOOTHING
    table += 4 * by_tick / by_tick.sum(axis=2, keepdims=True)
    return np.log(table / table.sum(axis=2, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Counts:
    """A runtime that knows no measure from another: its decoder is a table of counts."""

    latent: int
    tables: Mapping[Meter, npt.NDArray[np.float32]]

    def encode(self, rows: Rows, meter: Meter) -> npt.NDArray[np.float32]:
        return np.zeros((len(rows), self.latent), dtype=np.float32)

    def posterior(self, rows: Rows, meter: Meter) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        return self.encode(rows, meter), self.encode(rows, meter)

    def drawn(self, rows: Rows, meter: Meter, random: np.random.Generator) -> npt.NDArray[np.float32]:
        return random.standard_normal((len(rows), self.latent), dtype=np.float32)

    def start(self, z: npt.NDArray[np.float32], meter: Meter) -> State:
        """The number of each beat stands in `starts`, so that it survives `State.by_beats`."""
        beats = np.broadcast_to(np.arange(meter.beats, dtype=np.float32)[:, None, None], (meter.beats, len(z), 1))
        return State(meter, beats, beats, beats[0], np.arange(len(z)))

    def nowhere(self, meter: Meter) -> State:
        return self.start(np.zeros((1, self.latent), dtype=np.float32), meter)

    def step(self, state: State, previous: Rows, sounding: Rows) -> npt.NDArray[np.float32]:
        beat, tick = divmod(state.tick, TICKS_PER_BEAT)
        at = state.starts[beat][state.point, 0].astype(np.int64) * TICKS_PER_BEAT + tick
        state.tick += 1
        return self.tables[state.meter][at, np.minimum(sounding, VOCABULARY - 1)].copy()


# ------------------------------------------------------------------------------------ random


def _randomly(tune: Tune, ask: Ask, *, model: Model) -> Melody:
    """Change random ticks of each measure to a hold or to a note in the key and the compass of the tune, wherever that
    does not lead away from the requested value, until it is met."""
    melody, goal = tune.melody, goal_of(model, tune.melody, ask)
    spec = model.restricted([ask.name]).specs[0]
    draw = np.random.default_rng([ask.seed, tune.number])
    tokens = np.concatenate([bar.tokens for bar in melody.bars if bar.tokens is not None])
    notes = tokens[tokens >= FIRST_PITCH]
    every = np.arange(notes.min(initial=VOCABULARY - 1), notes.max(initial=FIRST_PITCH) + 1)
    choices = np.append(every[in_key(every)], HOLD).astype(np.int16)
    changed: dict[int, Rows] = {}
    for meter, indices, rows in melody.by_meter(ask.at):
        place = [ask.at.index(i) for i in indices]
        wanted = np.clip(goal.asked, goal.low, goal.high)[place]
        now = rows.copy()
        off = np.abs(evaluate([spec], now, meter)[:, 0] - wanted)
        for _ in range(TRIES):
            open_ = np.flatnonzero(off > goal.tolerance[place] + 1e-6)
            if not len(open_):
                break
            tries = now[open_].copy()
            tries[np.arange(len(open_)), draw.integers(0, meter.ticks, len(open_))] = draw.choice(choices, len(open_))
            tries[:, 0] = np.where((tries[:, 0] == HOLD) & (now[open_, 0] != HOLD), now[open_, 0], tries[:, 0])
            missed = np.abs(evaluate([spec], tries, meter)[:, 0] - wanted[open_])
            better = (missed <= off[open_]) & onsets(tries).any(axis=1)
            now[open_[better]], off[open_[better]] = tries[better], missed[better]
        changed |= dict(zip(indices, now, strict=True))
    return melody.with_rows(changed)
