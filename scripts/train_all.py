"""Train the bundled model `all`, the AR-VAE of measures in context on all corpora, in about 40 minutes of one core.

    arvae corpus build bach && arvae corpus build folk && arvae corpus build essen && arvae corpus build misc
    python scripts/train_all.py all.safetensors                 --minutes 27 --align 13 are the defaults

Training has two stages. In the first, every measure of a window of a tune is decoded from its neighbours and, drawn at
random, from all of z, from a sketch (the other dimensions mixed with noise), from some attributes alone, or from
nothing. In the second, the model also decodes measures at the attribute codes of others, and learns those decodes that
have the wanted values. The encoder's other dimensions should not tell such a decode from the original.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from arvae_music.corpora import registry
from arvae_music.music.attributes import BUILT_IN, PAPER, evaluate, evaluate_mixed, find
from arvae_music.music.meter import MAX_TICKS, Meter
from arvae_music.music.tokens import HOLD, PAD, START, VOCABULARY_FACTS
from arvae_music.networks.context import WINDOW, ContextDims, situation, windows
from arvae_music.networks.contextual import Context, ContextualArVae, Given, Window
from arvae_music.training.losses import attribute_loss
from arvae_music.training.music_recipe import combinations_of
from arvae_music.vae.checkpoint import Checkpoint, halved, write
from arvae_music.vae.examples import Examples
from arvae_music.vae.metadata import Metadata
from arvae_music.vae.scales import NOT_CARRIED, calibrate, correlations, with_meters
from arvae_music.version import __version__

SPECS = [find(name) for name in PAPER]
K = len(SPECS)
TOKENS = 6144  # of a batch
WHOLE, SOME = 0.62, 0.22  # shares of the measures that are decoded from all of z, and from some attributes
SKETCHED = 0.25  # share of the first that get a sketch
KEEP = 0.6  # chance of each attribute to be among those given
ALONE = 0.12  # share of the batches whose measures are alone
HIDDEN = 0.3  # mean share of the previous tokens that are hidden where all of z is given
BETA, BETA_ATTRIBUTES, GAMMA, DELTA = 0.012, 0.001, 3.0, 10.0
STRONG = 0.5  # correlated attributes move along in the second stage
ROWS, DECODES = 160, 4  # of each step of the second stage
FREE = 0.6  # share of its rows that are decoded from the attributes alone


@dataclass
class Data:
    """One part of the corpora: measures in order, and their runs."""

    rows: np.ndarray  # (n, 1 + MAX_TICKS) the meter's code and the tokens
    places: np.ndarray
    entering: np.ndarray
    after: np.ndarray
    modes: np.ndarray
    pieces: np.ndarray
    runs: list[tuple[int, int]]

    @classmethod
    def of(cls, corpus: str, part: str) -> Data:
        rows, places, entering, after, modes, pieces, runs = [], [], [], [], [], [], []
        for number, whole in enumerate(registry.tunes(corpus)):
            if whole.part != part:
                continue
            bars = whole.tune.bars
            found = situation([bar.tokens for bar in bars], [bar.meter for bar in bars])
            for first, last in found.runs:
                runs.append((len(rows), len(rows) + last - first))
                for i in range(first, last):
                    row, (meter, tokens) = np.full(1 + MAX_TICKS, PAD), (bars[i].meter, bars[i].tokens)
                    row[0], row[1 : 1 + meter.ticks] = meter.code, tokens
                    rows.append(row)
                    pieces.append(number)
                    places.append(found.places[i])
                    entering.append(found.entering[i])
                    after.append(found.after[i])
                    modes.append(found.mode)
        tables = (np.array(table) for table in (rows, places, entering, after, modes, pieces))
        return cls(*tables, runs)

    def window(self, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, Window]:
        """Windows from `starts` to `ends` (w,), all of one meter: indices and presence (w, m), and the tensors."""
        at = starts[:, None] + np.arange(WINDOW)
        here = at < ends[:, None]
        at = np.where(here, at, starts[:, None])
        ticks = ticks_of(self.rows[at[0, 0], 0])
        rows = np.where(here[:, :, None], self.rows[at, 1 : 1 + ticks], HOLD)
        parts = (rows, self.rows[at[:, 0], 0], here, self.places[at], self.modes[at[:, 0]], self.entering[at])
        return at, here, Window(*(torch.from_numpy(part) for part in (*parts, self.after[at])))

    def batches(self, random: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray, Window]]:
        runs = np.array(self.runs)
        codes, lengths = self.rows[runs[:, 0], 0], runs[:, 1] - runs[:, 0]
        kinds = np.unique(codes)
        weight = np.array([lengths[codes == code].sum() * ticks_of(code) for code in kinds], dtype=float)
        while True:
            code = random.choice(kinds, p=weight / weight.sum())
            own, size = np.flatnonzero(codes == code), lengths[codes == code]
            some = random.choice(own, max(TOKENS // (WINDOW * ticks_of(code)), 1), p=size / size.sum())
            least = -(WINDOW // 2)
            offset = random.integers(least, np.maximum(lengths[some] - WINDOW // 2, least + 1))
            offset = np.clip(offset, 0, np.maximum(lengths[some] - WINDOW, 0))
            yield self.window(runs[some, 0] + offset, runs[some, 1])

    def every(self) -> Iterator[tuple[np.ndarray, np.ndarray, Window]]:
        """Every measure once: indices (w, m), which of them count (w, m), and the window."""
        for first, last, begin, end in windows(self.runs, WINDOW):
            at, here, window = self.window(np.array([first]), np.array([last]))
            yield at, here & (at >= begin) & (at < end), window


def ticks_of(code: int) -> int:
    return Meter.from_code(int(code)).ticks


def measured(rows: Tensor, code: int) -> Tensor:
    return torch.from_numpy(evaluate(SPECS, rows.numpy().astype(np.int16), Meter.from_code(code)).astype(np.float32))


def nats(logits: Tensor, rows: Tensor) -> Tensor:
    """(t, b, v), (b, t) -> (b,)"""
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), rows.t().reshape(-1), reduction="none")
    return loss.reshape(rows.shape[1], -1).sum(dim=0)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1)


class Training:
    def __init__(self, data: Data, seed: int) -> None:
        torch.manual_seed(seed)
        self.data, self.random = data, np.random.default_rng(seed)
        codes = data.rows[:, 0]
        meters = [Meter.from_code(int(code)) for code in np.unique(codes)]
        self.net = ContextualArVae(ContextDims(dropout=0.1).for_meters(meters))
        self.values = np.zeros((len(codes), K), dtype=np.float32)
        for code in np.unique(codes):
            meter = Meter.from_code(int(code))
            at = np.flatnonzero(codes == code)
            self.values[at] = evaluate(SPECS, data.rows[at, 1 : 1 + meter.ticks].astype(np.int16), meter)
        self.mean, self.sd = (torch.from_numpy(f(self.values, axis=0)) for f in (np.mean, np.std))
        self.earlier: tuple[Tensor, Tensor] | None = None  # codes and values of earlier batches

    def run(self, minutes: float, rate: float, align: bool) -> int:
        optimizer = torch.optim.Adam(self.net.parameters(), rate, betas=(0.9, 0.98), fused=True)
        batches, started, step = self.data.batches(self.random), time.perf_counter(), 0
        self.along, self.spread = self.statistics() if align else (None, None)
        while (done := (time.perf_counter() - started) / (60 * minutes)) < 1:
            floor = 0.05 if align else 0.02
            for group in optimizer.param_groups:
                cosine = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))
                group["lr"] = rate * min(1.0, step / (100 if align else 200)) * cosine
            loss = self.loss(*next(batches), align)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
            optimizer.step()
            step += 1
            if align and step % 300 == 0:
                self.along, self.spread = self.statistics()
            if step % 500 == 0:
                print(f"{step} steps, {100 * done:.0f}%, loss {float(loss.detach()):.3f}", flush=True)
        return step

    def loss(self, at: np.ndarray, here: np.ndarray, window: Window, align: bool) -> Tensor:
        code = int(window.codes[0])
        window = window.alone() if self.random.random() < ALONE else window
        summary, context = self.net.read(window)
        posterior = self.net.posterior(summary, context)
        count, rows = len(posterior.mean), window.rows.flatten(0, 1)
        z = posterior.mean + torch.randn_like(posterior.mean) * (0.5 * posterior.log_variance).exp()
        drawn = torch.rand(count, 1)
        whole, some = drawn < WHOLE, (drawn >= WHOLE) & (drawn < WHOLE + SOME)
        level = torch.where(torch.rand(count, 1) < SKETCHED, torch.rand(count, 1) * 0.9 + 0.05, torch.ones(count, 1))
        given = Given((whole | (some & (torch.rand(count, K) < KEEP))).float(), whole.float() * level)
        hidden = whole[:, 0].float() * HIDDEN * torch.rand(count) * (1 if align else 2)
        present = torch.from_numpy(here.reshape(-1))
        weight = present.float() / present.sum()
        kl = divergence(*posterior)
        price = BETA * kl[:, K:].sum(dim=1) + BETA_ATTRIBUTES * kl[:, :K].sum(dim=1)
        total = ((nats(self.net.decoder(given.seen(z), context, rows, hidden), rows) + price) * weight).sum()
        values = torch.from_numpy(self.values[at.reshape(-1)])
        live = present.nonzero()[:, 0]
        total = total + GAMMA * self.order(z[live, :K], (values[live] - self.mean) / self.sd)
        return total + self.alignment(code, rows, values, live, posterior, context) if align else total

    def order(self, codes: Tensor, values: Tensor) -> Tensor:
        """The paper's loss, also against rows of earlier batches, which are of other meters."""
        codes, values = codes[:384], values[:384]
        old = self.earlier or (codes[:0].detach(), values[:0])
        loss = attribute_loss(torch.cat([codes, old[0]]), torch.cat([values, old[1]]), DELTA)
        some = torch.randperm(len(codes))[:96]
        self.earlier = (torch.cat([codes[some].detach(), old[0]])[:384], torch.cat([values[some], old[1]])[:384])
        return loss

    # ------------------------------------------------------------------------------ the second stage

    @torch.no_grad()
    def codes(self, most: int = 20_000) -> tuple[Tensor, np.ndarray]:
        """The posterior means of measures in context, and their indices."""
        self.net.eval()
        means, indices, total = [], [], 0
        for at, counts, window in self.data.every():
            mean = self.net.posterior(*self.net.read(window)).mean
            keep = counts.reshape(-1)
            means.append(mean[torch.from_numpy(keep)])
            indices.append(at.reshape(-1)[keep])
            total += int(keep.sum())
            if total >= most:
                break
        self.net.train()
        return torch.cat(means), np.concatenate(indices)

    def statistics(self) -> tuple[Tensor, Tensor]:
        """(k, k) how the codes of strongly correlated attributes move along, and the sd of the other dimensions."""
        means, _ = self.codes(5000)
        rho, sd = np.corrcoef(means[:, :K].numpy().T), means[:, :K].std(dim=0).numpy()
        slopes = np.where(np.abs(rho) >= STRONG, rho, 0.0) * sd[None] / sd[:, None]
        np.fill_diagonal(slopes, 0.0)
        return torch.from_numpy(slopes.astype(np.float32)), means[:, K:].std(dim=0).clamp(min=0.05)

    def alignment(
        self, code: int, rows: Tensor, values: Tensor, live: Tensor, posterior: tuple[Tensor, Tensor], context: Context
    ) -> Tensor:
        at = live[torch.randperm(len(live))[:ROWS]]
        count, every = len(at), torch.arange(len(at))
        free = torch.rand(count, 1) < FREE
        which, other = torch.randint(K, (count,)), live[torch.randint(len(live), (count,))]
        own = Context(*(part[at].detach() for part in context))
        mean = posterior[0].detach()
        step = torch.zeros(count, K)
        step[every, which] = mean[other, which] - mean[at, which]
        z = mean[at].clone()
        z[:, :K] += step + step @ self.along
        shown = (torch.rand(count, K) < 0.25).float()
        shown[every, which] = 1.0
        level = torch.where(torch.rand(count, 1) < 0.5, torch.ones(count, 1), torch.rand(count, 1) * 0.8 + 0.2)
        given = Given(torch.where(free, shown, torch.ones(count, K)), torch.where(free, torch.zeros(count, 1), level))
        seen = given.seen(z)
        heat = torch.where(free, torch.tensor([0.8, 0.9, 1.0, 1.0]), torch.tensor([0.0, 0.5, 0.8, 1.0]))
        self.net.eval()
        decoded = self.decoded(seen, own, heat.reshape(-1))
        self.net.train()
        found = measured(decoded, code)
        wanted, now = values[other].repeat_interleave(DECODES, 0), values[at].repeat_interleave(DECODES, 0)
        index = which.repeat_interleave(DECODES)[:, None]
        error = ((found - wanted) / self.sd).abs().gather(1, index)[:, 0]
        meter = Meter.from_code(code)
        grains = [spec.grain(meter) if spec.grain else 0.1 * float(sd) for spec, sd in zip(SPECS, self.sd, strict=True)]
        grain = torch.tensor(grains)
        hit = error <= 0.5 * (grain / self.sd)[index[:, 0]] + 1e-5
        others = 1 - (self.along.abs() > 0).float()[index[:, 0]]
        others.scatter_(1, index, 0)
        drift = (((found - now) / self.sd).abs() * others * given.attributes.repeat_interleave(DECODES, 0)).sum(dim=1)
        changed = (decoded != rows[at].repeat_interleave(DECODES, 0)).float().mean(dim=1)
        loose = free[:, 0].repeat_interleave(DECODES)
        cost = 2 * error + 0.3 * drift + torch.where(loose, 0.05 * torch.rand(len(loose)), changed)
        best = every * DECODES + cost.reshape(count, DECODES).argmin(dim=1)
        good = hit[best]
        apart = error.reshape(count, DECODES).max(dim=1).values - error[best] > 1e-6
        target, weight = decoded[best], good.float() + 0.3 * (apart & ~good).float()
        learned = (nats(self.net.decoder(seen, own, target), target) * weight).sum() / count
        again = self.net.posterior(self.net.summary(target, own.codes), own).mean[:, K:]
        moved = ((again - posterior[0][at][:, K:]) / self.spread).square().mean(dim=1)
        return learned + 1.5 * (moved * (good & ~free[:, 0]).float()).sum() / count

    @torch.no_grad()
    def decoded(self, seen: Tensor, context: Context, temperature: Tensor) -> Tensor:
        """(b, ...) points -> (b * DECODES, t) sampled rows, at temperatures (b * DECODES,)."""
        decoder = self.net.decoder
        gates, state = decoder.conditions(seen, context)
        state = state.repeat_interleave(DECODES, 0)
        previous, sounding = torch.full((len(state),), START), context.entering.repeat_interleave(DECODES)
        made = []
        for gate in gates:
            known = decoder.previous_table(previous) + decoder.sounding_table(sounding)
            state = decoder.tick_gru.step(gate.repeat_interleave(DECODES, 0) + known, state)
            logits = decoder.to_tokens(state)
            noise = torch.rand_like(logits).clamp_(1e-7, 1 - 1e-7).log_().neg_().log_().neg_()
            previous = (logits + temperature[:, None] * noise).argmax(dim=1)
            sounding = torch.where(previous == HOLD, sounding, previous)
            made.append(previous)
        return torch.stack(made, dim=1)

    # ------------------------------------------------------------------------------ the checkpoint

    def checkpoint(self, corpus: str, training: dict[str, object]) -> Checkpoint:
        weights = {name: halved(value.numpy()) for name, value in self.net.state_dict().items()}
        means, at = self.codes(len(self.data.rows))
        rows = self.data.rows[at].astype(np.int16)
        others = [spec for spec in BUILT_IN.values() if spec.name not in PAPER]
        values = np.concatenate([self.values[at], evaluate_mixed(others, rows)], axis=1).astype(np.float64)
        codes = np.concatenate([means[:, :K].numpy(), np.zeros((len(at), len(others)))], axis=1)
        names = [Meter.from_code(code).name for code in rows[:, 0].tolist()]
        every = [*PAPER, *(spec.name for spec in others)]
        scales = tuple(
            with_meters(calibrate(name, "", i if i < K else NOT_CARRIED, own, codes[:, i]), own, names)
            for i, (name, own) in enumerate(zip(every, values.T, strict=True))
        )
        examples = Examples(rows, self.values[at], PAPER, self.data.pieces[at])
        facts = registry.load(corpus).facts
        provenance = {
            "corpus": corpus, "source": facts[0].source, "licence": "; ".join(dict.fromkeys(f.licence for f in facts)),
            "arvae": __version__, "made": time.strftime("%Y-%m-%d"),
        }  # fmt: skip
        metadata = Metadata(
            "measures", self.net.dims.to_json(), scales, *correlations(values, codes),
            {name: names.count(name) for name in sorted(set(names))}, training, provenance,
            combinations_of(examples, SPECS), VOCABULARY_FACTS,
        )  # fmt: skip
        return Checkpoint(metadata, weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--corpus", default="all")
    parser.add_argument("--minutes", type=float, default=27.0, help="of the first stage")
    parser.add_argument("--align", type=float, default=13.0, help="minutes of the second stage")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    run = Training(Data.of(options.corpus, "train"), options.seed)
    steps = run.run(options.minutes, 3e-3, align=False)
    steps += run.run(options.align, 1.2e-3, align=True) if options.align else 0
    training = {
        "objective": "contextual", "minutes": options.minutes, "align_minutes": options.align, "beta": BETA,
        "beta_attributes": BETA_ATTRIBUTES, "gamma": GAMMA, "delta": DELTA, "seed": options.seed, "steps": steps,
        "device": "cpu",
    }  # fmt: skip
    write(options.output, run.checkpoint(options.corpus, training), overwrite=True)


if __name__ == "__main__":
    main()
