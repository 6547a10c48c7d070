"""The networks: measures of any meters in one batch mean what they mean alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from arvae_music.arrays import Row
from arvae_music.music.meter import MAX_TICKS, Meter, all_meters
from arvae_music.music.tokens import FIRST_PITCH, HOLD, PAD, REST, VOCABULARY, pack
from arvae_music.networks.hierarchical import DROPPED, START, MeasureDims, accuracy, build, context, distinct, layout
from arvae_music.vae.model import ArVae

DIMS = MeasureDims(latent=5, hidden=12, tick_hidden=8, token_dropout=0.3, null_share=0.2).for_meters(all_meters())


def made(dims: MeasureDims = DIMS, seed: int = 0) -> ArVae:
    torch.manual_seed(seed)
    model = build(dims)
    for parameter in model.parameters():  # biases start at zero, outputs near it: spread them out
        torch.nn.init.normal_(parameter, std=0.4)
    return model.eval()


def random_row(random: np.random.Generator, meter: Meter) -> Row:
    kinds = random.choice(3, size=meter.ticks, p=[0.6, 0.1, 0.3])
    pitches = random.integers(FIRST_PITCH, VOCABULARY, meter.ticks)
    row: Row = np.select([kinds == 0, kinds == 1], [HOLD, REST], pitches).astype(np.int16)
    return row


def measures(each: int = 2, width: int = MAX_TICKS) -> Tensor:
    """`each` random measures of every meter, shuffled."""
    random = np.random.default_rng(5)
    meters = [meter for meter in all_meters() for _ in range(each) if meter.ticks <= width]
    random.shuffle(meters)
    return torch.from_numpy(pack([random_row(random, meter) for meter in meters], meters, width))


def ticks_of(row: Tensor) -> int:
    return Meter.from_code(int(row[0])).ticks


def logits_by_row(model: ArVae, z: Tensor, inputs: Tensor) -> list[Tensor]:
    """(ticks, v) for each row of a teacher-forced decode."""
    flat = model.decoder(z, inputs).distribution.logits.transpose(0, 1)  # (B, 6, v)
    sizes = [ticks_of(row) // 6 for row in inputs]
    return [part.reshape(-1, VOCABULARY) for part in flat.split(sizes)]


def test_layout_finds_every_beat_with_its_place():
    inputs = measures(2)
    rows = layout(inputs)
    assert len(rows.tokens) == sum(ticks_of(row) // 6 for row in inputs)
    at = 0
    for i, row in enumerate(inputs):
        meter = Meter.from_code(int(row[0]))
        assert int(rows.here[i].sum()) == meter.beats
        for beat in range(meter.beats):
            assert torch.equal(rows.tokens[at], row[1 + 6 * beat : 7 + 6 * beat].long())
            assert int(rows.positions[at]) == beat
            assert bool(rows.compound[at]) == meter.compound
            at += 1
    assert (rows.tokens != PAD).all()


def test_context_is_the_token_before_and_what_sounds():
    random = np.random.default_rng(0)
    for meter in all_meters():
        row = random_row(random, meter)
        inputs = torch.from_numpy(pack([row], [meter], MAX_TICKS))
        previous, sounding = (part.t().reshape(-1).tolist() for part in context(inputs, layout(inputs)))
        before, sounds = START, HOLD
        for tick, token in enumerate(row.tolist()):
            assert (previous[tick], sounding[tick]) == (before, sounds)
            before, sounds = token, token if token != HOLD else sounds


def test_mixed_meters_in_a_batch_give_the_same_as_each_alone():
    model, inputs = made(), measures()
    z = torch.randn(len(inputs), DIMS.latent)
    together, logits = model.posterior(inputs), logits_by_row(model, z, inputs)
    generated = model.decoder.generate(z, inputs)
    for i, row in enumerate(inputs):
        alone = model.posterior(row[None])
        torch.testing.assert_close(together.mean[i], alone.mean[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(together.log_variance[i], alone.log_variance[0], atol=1e-5, rtol=1e-5)
        (own,) = logits_by_row(model, z[i, None], row[None])
        torch.testing.assert_close(logits[i], own, atol=1e-5, rtol=1e-5)
        assert torch.equal(generated[i], model.decoder.generate(z[i, None], row[None])[0])
    assert together.mean.std(dim=0).min() > 0.01  # they do differ from one another


def test_a_batch_of_one_meter_takes_the_short_cut_to_the_same():
    model, inputs = made(), measures(3)
    together = model.posterior(inputs).mean
    for code in inputs[:, 0].unique():
        at = inputs[:, 0] == code
        assert layout(inputs[at]).even
        torch.testing.assert_close(model.posterior(inputs[at]).mean, together[at], atol=1e-5, rtol=1e-5)


def test_padding_is_never_read():
    model, inputs = made(), measures()
    z = torch.randn(len(inputs), DIMS.latent)
    rubbish = inputs.clone()
    for row in rubbish:
        row[1 + ticks_of(row) :] = torch.randint(0, VOCABULARY, (MAX_TICKS - ticks_of(row),), dtype=row.dtype)
    assert not torch.equal(rubbish, inputs)
    assert torch.equal(model.posterior(inputs).mean, model.posterior(rubbish).mean)
    for clean, dirty in zip(logits_by_row(model, z, inputs), logits_by_row(model, z, rubbish), strict=True):
        assert torch.equal(clean, dirty)


def test_rows_no_wider_than_their_meter_will_do():
    model, inputs = made(), measures(width=24)
    wide = torch.nn.functional.pad(inputs, (0, MAX_TICKS - 24), value=PAD)
    torch.testing.assert_close(model.posterior(inputs).mean, model.posterior(wide).mean)
    assert torch.equal(model.reconstruct(inputs), model.reconstruct(wide)[:, :25])


def test_generating_is_teacher_forcing_on_its_own_output():
    model, inputs = made(), measures()
    z = 2 * torch.randn(len(inputs), DIMS.latent)
    output = model.decoder.generate(z, inputs)
    assert torch.equal(output[:, 0], inputs[:, 0])
    for row, logits in zip(output, logits_by_row(model, z, output), strict=True):
        ticks = ticks_of(row)
        assert torch.equal(logits.argmax(dim=1), row[1 : 1 + ticks].long())
        assert (row[1 + ticks :] == PAD).all()
    assert len(output[:, 1:].unique()) > 4  # more than one token comes out


def test_generating_reads_the_meter_alone():
    model, inputs = made(), measures()
    z = torch.randn(len(inputs), DIMS.latent)
    blank = inputs.clone()
    blank[:, 1:] = PAD
    assert torch.equal(model.decoder.generate(z, inputs), model.decoder.generate(z, blank))


def test_logits_never_see_the_token_that_they_predict():
    model = made()
    for row in measures(1):
        ticks = ticks_of(row)
        variants = row.repeat(1 + ticks, 1)  # the row itself, then with one tick changed each
        for tick in range(ticks):
            variants[1 + tick, 1 + tick] = 5 if int(row[1 + tick]) != 5 else 6
        z = torch.randn(1, DIMS.latent).expand(len(variants), -1)
        before, *after = logits_by_row(model, z, variants)
        for tick, changed in enumerate(after):
            torch.testing.assert_close(before[: tick + 1], changed[: tick + 1], atol=1e-5, rtol=1e-5)
            if tick + 1 < ticks:
                assert not torch.allclose(before[tick + 1], changed[tick + 1], atol=1e-3)  # the next one does


def test_the_same_tokens_in_another_kind_of_meter_are_another_measure():
    model = made()
    row = random_row(np.random.default_rng(1), Meter(2))
    inputs = torch.from_numpy(pack([row, row], [Meter(2), Meter(2, compound=True)], 12))
    z = torch.randn(1, DIMS.latent).expand(2, -1)
    for name, table in model.named_parameters():
        if "beat_table" in name:
            torch.nn.init.zeros_(table)  # what tells the meters apart: here only the ticks' own tables do
    mean = model.posterior(inputs).mean
    assert not torch.allclose(mean[0], mean[1], atol=1e-3)
    one, other = logits_by_row(model, z, inputs)
    assert not torch.allclose(one, other, atol=1e-3)


def test_every_parameter_of_every_meter_gets_a_gradient():
    model, inputs = made().train(), measures(4)
    outputs = model(inputs)
    loss = -outputs.decoding.distribution.log_prob(outputs.decoding.target).mean()
    loss = loss + outputs.posterior.log_variance.sum()
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_null_rows_are_decoded_from_nil_and_made_up_ones_never(monkeypatch: pytest.MonkeyPatch):
    model, inputs = made(replace(DIMS, token_dropout=0.0, null_share=0.5)).train(), measures(20)
    seen: list[Tensor] = []
    forward = model.decoder.forward
    monkeypatch.setattr(model.decoder, "forward", lambda z, inputs: (seen.append(z), forward(z, inputs))[1])
    outputs = model(inputs, 50)
    null = (seen[0] == 0).all(dim=1)
    assert not null[:50].any()
    assert 0.3 < null[50:].float().mean() < 0.7
    assert (outputs.z != 0).any(dim=1).all()  # the attribute loss still sees the sample
    assert torch.equal(seen[0][~null], outputs.z[~null])
    model.eval()
    seen.clear()
    model(inputs)
    assert not (seen[0] == 0).all(dim=1).any()


def test_dropout_hides_tokens_in_training_only():
    model, inputs = made(replace(DIMS, token_dropout=0.9, null_share=0.0)), measures()
    z = torch.zeros(len(inputs), 5)
    one, two = (model.decoder(z, inputs).distribution.logits for _ in range(2))
    assert torch.equal(one, two)
    model.train()
    assert not torch.equal(model.decoder(z, inputs).distribution.logits, one)
    assert DROPPED == START + 1 == VOCABULARY + 1


def test_reconstruction_term_counts_tokens_not_padding():
    model, inputs = made(), measures()
    z = torch.randn(len(inputs), DIMS.latent)
    decoding = model.decoder(z, inputs)
    total, count = 0.0, 0
    for row, logits in zip(inputs, logits_by_row(model, z, inputs), strict=True):
        for tick, token in enumerate(row[1 : 1 + ticks_of(row)].tolist()):
            total -= float(logits[tick].detach().log_softmax(dim=0)[token])
            count += 1
    found = -decoding.distribution.log_prob(decoding.target).mean()
    assert float(found.detach()) == pytest.approx(total / count, rel=1e-5)


def test_accuracy_by_hand():
    wanted = np.full((3, 13), PAD, dtype=np.int16)
    wanted[:, 0] = (Meter(1).code, Meter(2).code, Meter(1).code)
    wanted[0, 1:7] = (9, HOLD, HOLD, HOLD, 9, HOLD)
    wanted[1, 1:13] = (REST, *[HOLD] * 11)
    wanted[2, 1:7] = (9, HOLD, HOLD, HOLD, HOLD, HOLD)
    got = wanted.copy()
    got[0, 5] = 10  # a wrong pitch
    got[2, 2] = 8  # a note too many
    got[2, 7:] = 3  # beyond its meter: does not count
    found = accuracy(*map(torch.from_numpy, (wanted, got)))
    assert found["tokens"] == pytest.approx(22 / 24)
    assert found["events"] == pytest.approx(3 / 4)
    assert found["measures"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("meter", all_meters(), ids=lambda meter: f"{meter.name}{'c' if meter.compound else ''}")
def test_every_meter_goes_through(meter: Meter):
    model = made()
    inputs = torch.from_numpy(pack([random_row(np.random.default_rng(2), meter)], [meter], MAX_TICKS))
    outputs = model(inputs)
    assert outputs.posterior.mean.shape == (1, DIMS.latent)
    assert outputs.decoding.target.shape == (6, meter.beats)
    output = model.reconstruct(inputs)
    assert output.shape == inputs.shape
    assert output.dtype == inputs.dtype


# ------------------------------------------------------------------------------------ drawing


def test_the_log_probability_of_a_row_is_the_sum_over_its_ticks_alone_or_among_others():
    inputs = measures(1)
    model = made()
    z = torch.randn(len(inputs), 5, generator=torch.Generator().manual_seed(1))
    found = model.train().log_prob(z, inputs)  # in training too there is no drop-out
    model.eval()
    for i, logits in enumerate(logits_by_row(model, z, inputs)):
        row = inputs[i, 1 : 1 + ticks_of(inputs[i])].long()
        expected = sum(logits[t].log_softmax(dim=0)[token] for t, token in enumerate(row))
        torch.testing.assert_close(found[i], expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(model.log_prob(z[i : i + 1], inputs[i : i + 1])[0], expected, rtol=1e-4, atol=1e-4)
    assert found.requires_grad


def test_several_rows_of_one_point_are_as_the_point_repeated():
    inputs = measures(1)
    model = made().eval()
    z = torch.randn(len(inputs), 5, generator=torch.Generator().manual_seed(1))
    rows = inputs.repeat_interleave(3, dim=0)
    torch.manual_seed(0)
    few = model.sample(z, rows)
    torch.manual_seed(0)
    assert torch.equal(few, model.sample(z.repeat_interleave(3, dim=0), rows))
    expected = model.log_prob(z.repeat_interleave(3, dim=0), few)
    torch.testing.assert_close(model.log_prob(z, few), expected, rtol=1e-4, atol=1e-4)


def test_samples_come_as_often_as_their_probability_says():
    """A decoder whose biases leave two pitches at one tick and HOLD elsewhere, all but certainly."""
    model = made(replace(DIMS, token_dropout=0.0))
    low, high = FIRST_PITCH + 3, FIRST_PITCH + 9
    with torch.no_grad():
        model.decoder.to_tokens.weight.zero_()
        model.decoder.to_tokens.bias.fill_(-40.0)
        model.decoder.to_tokens.bias[[HOLD, low, high]] = torch.tensor([0.5, 0.2, 0.3]).log()
    meter = Meter(1, compound=False)
    inputs = torch.from_numpy(pack([np.full(6, HOLD, dtype=np.int16)] * 4000, [meter] * 4000, 12))
    torch.manual_seed(0)
    drawn = model.sample(torch.zeros(4000, 5), inputs)
    for token, share in ((HOLD, 0.5), (low, 0.2), (high, 0.3)):
        assert float((drawn[:, 1:7] == token).float().mean()) == pytest.approx(share, abs=0.015)
    assert torch.equal(drawn[:, 0], inputs[:, 0])
    assert bool((drawn[:, 7:] == PAD).all())
    assert float(model.log_prob(torch.zeros(1, 5), drawn[:1]).detach()) == pytest.approx(
        sum(np.log({HOLD: 0.5, low: 0.2, high: 0.3}[int(token)]) for token in drawn[0, 1:7]), abs=1e-4
    )


def test_rows_are_told_apart_and_found_again():
    torch.manual_seed(0)
    rows = torch.randint(0, 2 * VOCABULARY, (40, 6))
    rows[10:20] = rows[:10]
    first, which = distinct(rows, 2 * VOCABULARY)
    assert torch.equal(first[which], rows)
    assert len(first) == len({tuple(row) for row in rows.tolist()}) == 30


def test_beats_that_rows_share_are_taught_by_all_of_them():
    """The gradient of a batch is the sum of its rows' own, though their common beats are read once."""
    model, inputs = made(), measures(2)
    inputs = torch.cat([inputs, inputs[:7]])

    def gradient(rows: Tensor) -> list[Tensor]:
        posterior = model.posterior(rows)
        logits = model.decoder(posterior.mean, rows).distribution.logits
        loss = logits.square().sum() + posterior.log_variance.sum()
        return list(torch.autograd.grad(loss, list(model.parameters())))

    alone = [gradient(row[None]) for row in inputs]
    for whole, *parts in zip(gradient(inputs), *alone, strict=True):
        torch.testing.assert_close(whole, torch.stack(parts).sum(dim=0), rtol=1e-3, atol=1e-3)
