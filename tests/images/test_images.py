"""The networks of images, their checkpoints, variants, pictures in and out, and edits with a model made by hand."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from arvae_music import library
from arvae_music.corpora import sprites
from arvae_music.errors import CheckpointError, InputError, UsageError
from arvae_music.images import classifier, edit, evaluation, pictures
from arvae_music.images import networks as nets
from arvae_music.images.attributes import SPRITES, ImageAttribute, evaluate, find
from arvae_music.images.digits import warped
from arvae_music.images.model import ImageModel, load, prepare
from arvae_music.images.networks import ImageDims
from arvae_music.training.image_recipe import to_checkpoint
from arvae_music.vae import checkpoint, metadata
from arvae_music.vae.examples import Examples
from arvae_music.vae.scales import calibrate, correlations

SMALL = ImageDims(64, 4, 7, channels=(4, 6, 8), hidden=16)


def some(count: int, seed: int = 0) -> Examples:
    chosen = np.random.default_rng(seed).integers(0, sprites.COUNT, count)
    return sprites.examples().take(chosen)


@pytest.fixture(scope="module")
def random_model() -> ImageModel:
    """Of random weights, calibrated on sprites."""
    torch.manual_seed(0)
    return prepare(to_checkpoint(nets.build(SMALL), SMALL, some(300), [""] * 5, {}, {}))


# ------------------------------------------------------------------------------------ networks


@pytest.mark.parametrize("dims", [SMALL, ImageDims(28, 2, 9), ImageDims(12, 3, 2), ImageDims(10, 1, 2)])
def test_what_comes_out_has_the_size_of_what_went_in(dims: ImageDims) -> None:
    model = nets.build(dims)
    rows = torch.randint(0, 256, (3, dims.size, dims.size), dtype=torch.uint8)
    outputs = model(rows)
    assert outputs.posterior.mean.shape == (3, dims.latent)
    assert outputs.decoding.distribution.log_prob(outputs.decoding.target).shape == (3,)
    made = model.reconstruct(rows)
    assert (made.shape, made.dtype) == (rows.shape, torch.uint8)


def test_reconstruction_is_summed_over_the_pixels() -> None:
    """By hand, for a grey picture too."""
    model = nets.build(SMALL).eval()
    rows = torch.randint(0, 256, (2, 64, 64), dtype=torch.uint8)
    z, shares = torch.zeros(2, 7), rows / 255
    white = model.decoder.logits(z).sigmoid().detach()
    by_hand = (shares * white.log() + (1 - shares) * (1 - white).log()).sum(dim=(1, 2))
    assert model.log_prob(z, rows).tolist() == pytest.approx(by_hand.tolist(), rel=1e-4)
    assert model.log_prob(z[:1], rows).tolist() == pytest.approx(by_hand.tolist(), rel=1e-4)


def test_a_drawn_sample_is_as_white_as_the_decoder_believes() -> None:
    model = nets.build(SMALL).eval()
    torch.manual_seed(1)
    z = torch.randn(1, 7)
    samples = torch.cat([model.sample(z, z) for _ in range(300)]).float() / 255
    assert set(samples.unique().tolist()) <= {0.0, 1.0}
    assert float((samples.mean(dim=0) - model.decoder.logits(z)[0].sigmoid()).abs().mean().detach()) < 0.03


@pytest.mark.parametrize("wrong", [{"size": 65}, {"latent": 0}, {"patch": 0}, {"channels": (1, 2, 0)}])
def test_dimensions_that_no_network_has(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no network"):
        replace(SMALL, **wrong)


def test_accuracy_is_white_in_both_or_neither() -> None:
    first = np.array([[[0, 127], [128, 255]], [[0, 0], [0, 0]]], dtype=np.uint8)
    second = np.array([[[127, 0], [255, 128]], [[0, 0], [0, 200]]], dtype=np.uint8)
    assert nets.accuracy_of(first, second) == {"pixels": 7 / 8, "images": 0.5}


def test_mirrored_dimensions_draw_the_same() -> None:
    torch.manual_seed(0)
    model, other = nets.build(SMALL).eval(), nets.build(SMALL).eval()
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    turned = nets.mirrored(weights, (1, 4), 7)
    other.load_state_dict({name: torch.from_numpy(value) for name, value in turned.items()})
    rows = torch.from_numpy(some(4).inputs[:])
    sign = torch.tensor([1, -1, 1, 1, -1, 1, 1])
    mean, log_variance = model.posterior(rows)
    assert torch.allclose(other.posterior(rows).mean, mean * sign, atol=1e-5)
    assert torch.allclose(other.posterior(rows).log_variance, log_variance, atol=1e-5)
    assert torch.allclose(other.decoder.logits(mean * sign), model.decoder.logits(mean), atol=1e-4)


# ------------------------------------------------------------------------------------ checkpoints


def test_a_model_goes_through_a_file(random_model: ImageModel, tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    checkpoint.write(path, random_model.checkpoint)
    found = load(path)
    assert (found.name, found.metadata.kind, found.metadata.names) == ("small", "images", SPRITES)
    images = some(3).inputs[:]
    assert (found.encode(images) == random_model.encode(images)).all()
    assert (found.draw(found.encode(images)) == random_model.draw(random_model.encode(images))).all()
    assert found.metadata.provenance["images"] == 300


def test_given_codes_are_as_wide_as_what_is_drawn_of_their_values() -> None:
    torch.manual_seed(0)
    train, images = some(300), some(12, 1).inputs[:]
    model = prepare(to_checkpoint(nets.build(SMALL), SMALL, train, [""] * 5, {}, {}, "given"))
    mean, log_variance = model.posterior(images)
    for scale, values in zip(model.metadata.scales, model.measure(images).T, strict=True):
        assert mean[:, scale.dimension] == pytest.approx(scale.code(values))
        spread = np.interp(values, scale.values, scale.spreads)
        assert np.exp(0.5 * log_variance[:, scale.dimension]) == pytest.approx(spread)
    own = model.net.posterior(torch.from_numpy(images)).log_variance.detach().numpy()
    assert log_variance[:, 5:] == pytest.approx(own[:, 5:], abs=1e-5)  # of the other dimensions, the encoder's


def test_models_of_the_other_kind_are_told(random_model: ImageModel, tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    checkpoint.write(path, random_model.checkpoint)
    with pytest.raises(CheckpointError, match="a model of images, but this needs a model of measures"):
        library.load(path)
    with pytest.raises(CheckpointError, match="a model of measures, but this needs a model of images"):
        load("bach")


def test_weights_of_other_dimensions_are_refused(random_model: ImageModel) -> None:
    made = random_model.checkpoint
    other = replace(made, metadata=replace(made.metadata, dims={**made.metadata.dims, "hidden": 17}))
    with pytest.raises(CheckpointError, match="weights do not fit its dimensions"):
        prepare(other)


# ------------------------------------------------------------------------------------ attributes of one's own


def test_an_attribute_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_of_images.py").write_text(
        "def whiteness(images):\n    '''How white it is.'''\n    return images.mean(axis=(1, 2)) / 255\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = find("own_of_images:whiteness")
    assert (spec.name, spec.description) == ("whiteness", "How white it is.")
    white = np.full((2, 5, 5), 255, dtype=np.uint8)
    assert evaluate([spec, find("area")], white).tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda images: np.zeros((1, 1)), "returned shape"),
        (lambda images: np.full((len(images), 1), np.nan), "for picture 0 is not finite"),
        (lambda images: images.fill(0), "read-only"),
        (lambda images: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_a_function_may_not_do_is_named(function: object, said: str) -> None:
    spec = ImageAttribute("mine", function, 0, find("x").unit, "", "")
    with pytest.raises(UsageError, match=f"'mine'.*{said}"):
        evaluate([spec], np.zeros((3, 8, 8), dtype=np.uint8))


@pytest.mark.parametrize(
    ("typed", "said"), [("thicknes", "did you mean thickness"), ("zzz", "there are area"), (":f", "import")]
)
def test_an_unknown_attribute(typed: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find(typed)


# ------------------------------------------------------------------------------------ variants


def test_variants_are_slight_and_all_different() -> None:
    image = np.zeros((28, 28), dtype=np.uint8)
    image[5:23, 12:16] = 255
    made = warped(np.repeat(image[None], 40, axis=0), np.random.default_rng(0))
    assert (made.shape, made.dtype) == ((40, 28, 28), np.uint8)
    assert len(np.unique(made.reshape(40, -1), axis=0)) == 40
    values = evaluate([find("slant"), find("height"), find("area")], made)
    assert np.abs(values[:, 0]).max() < 0.45
    assert (np.abs(values[:, 1] - 18) < 4).all()
    assert ((values[:, 2] > 40) & (values[:, 2] < 130)).all()
    again = warped(np.repeat(image[None], 40, axis=0), np.random.default_rng(0))
    assert (again == made).all()
    assert warped(made[:0], np.random.default_rng(0)).shape == (0, 28, 28)


# ------------------------------------------------------------------------------------ pictures


def png(pixels: np.ndarray, mode: str | None = None) -> bytes:
    data = io.BytesIO()
    picture = Pillow.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(data, format="PNG")
    return data.getvalue()


PICTURE = np.zeros((28, 28), dtype=np.uint8)
PICTURE[5:20, 10:14] = 200


def test_a_picture_goes_through_a_file() -> None:
    assert (pictures.read(pictures.png(PICTURE), "a.png", 28) == PICTURE).all()
    black_and_white = png(PICTURE > 0)
    assert set(np.unique(pictures.read(black_and_white, "a.png", 28))) == {0, 255}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (png(PICTURE[:20, :20]), "20 x 20 pixels, but the model's pictures are 28 x 28"),
        (png(PICTURE[:20]), "28 x 20 pixels"),
        (png(PICTURE, "RGB"), "mode is RGB, not 8-bit grey"),
        (png(PICTURE, "LA"), "mode is LA"),
        (png(PICTURE.astype(np.uint16)), "mode is I"),
        (png(np.zeros_like(PICTURE)), "is blank"),
        (png(np.full_like(PICTURE, 255)), "is blank"),
        (png(255 - PICTURE), "mostly white; invert it"),
        (png(PICTURE)[:60], "cannot be read"),
        (png(PICTURE)[:-30], "cannot be read"),
        (b"", "cannot be read"),
        (b"GIF89a" + bytes(50), "cannot be read"),
    ],
)
def test_what_is_no_picture_for_the_model(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=f"a.png: .*{said}"):
        pictures.read(data, "a.png", 28)


def test_a_grid_shows_every_picture_in_its_place() -> None:
    rows = [[np.full((28, 28), 10 * r + c, dtype=np.uint8) for c in range(3)] for r in range(2)]
    drawn = pictures.grid(rows)
    assert drawn.shape == (4 * (2 * 30 + 2), 4 * (3 * 30 + 2))
    for r in range(2):
        for c in range(3):
            middle = drawn[4 * (2 + 30 * r) : 4 * (30 + 30 * r), 4 * (2 + 30 * c) : 4 * (30 + 30 * c)]
            assert (middle == 10 * r + c).all()
    labelled = pictures.grid(rows, ["one", "another"])
    assert (labelled[:, -drawn.shape[1] :] == drawn).all()
    text = labelled[:, : -drawn.shape[1]] > 200
    assert text[:120].any()
    assert text[120:].sum() > text[:120].sum()  # the longer word


def test_a_gif_goes_there_and_back() -> None:
    frames = [np.full((28, 28), 60 * k, dtype=np.uint8) for k in range(4)]
    with Pillow.open(io.BytesIO(pictures.gif(frames))) as found:
        assert found.n_frames == 6
        shades = []
        for k in range(6):
            found.seek(k)
            shades.append(int(np.array(found.convert("L")).mean()))
        assert found.size == (112, 112)
    assert shades == pytest.approx([0, 60, 120, 180, 120, 60], abs=3)


# ------------------------------------------------------------------------------------ edits


class Drawn:
    """What an ImageModel is to an edit: latent points are a place and a size, drawn as a square by its formula."""

    def __init__(self) -> None:
        self.specs = (find("x"), find("scale"))
        values = np.random.default_rng(0).uniform((0.2, 0.5), (0.8, 0.9), (2000, 2))
        scales = tuple(
            calibrate(spec.name, "", k, values[:, k], 4 * values[:, k]) for k, spec in enumerate(self.specs)
        )
        correlation, code_correlation = correlations(values, 4 * values)
        self.metadata = metadata.Metadata("images", {}, scales, correlation, code_correlation, {})

    def encode(self, images: np.ndarray) -> np.ndarray:
        return 4 * self.measure(images)

    def draw(self, z: np.ndarray) -> np.ndarray:
        middles = np.arange(64) + 0.5
        found = np.zeros((len(z), 64, 64), dtype=np.uint8)
        for image, (x, scale) in zip(found, z / 4, strict=True):
            near = np.abs(middles - 16 - 32 * x) <= 10.9 * abs(scale)
            image[np.ix_(np.abs(middles - 32) <= 10.9 * abs(scale), near)] = 255
        return found

    def measure(self, images: np.ndarray) -> np.ndarray:
        return evaluate(self.specs, images)


@pytest.fixture
def by_hand() -> ImageModel:
    return Drawn()


def square(model: ImageModel, x: float = 0.5, scale: float = 0.6) -> np.ndarray:
    return model.draw(np.array([[4 * x, 4 * scale]]))[0]


@pytest.mark.parametrize("request_", ["+5px", "=0.5", "-3px"])
@pytest.mark.parametrize("mode", ["guided", "latent"])
def test_a_request_is_met_and_nothing_else_moves(by_hand: ImageModel, request_: str, mode: edit.Mode) -> None:
    image = square(by_hand)
    targets = edit.targets_of({"x": request_}, by_hand)
    result = edit.edit(image, targets, by_hand, mode=mode)
    assert result.changed
    assert result.achieved[0] == pytest.approx(result.wanted[0], abs=0.5 / 32)  # half a pixel
    assert result.achieved[1] == pytest.approx(result.before[1], abs=0.05)
    assert math.isnan(result.asked[1])
    assert (edit.edit(image, targets, by_hand, mode=mode).image == result.image).all()


@pytest.mark.parametrize("mode", ["guided", "latent"])
def test_what_is_there_already_is_returned_bit_for_bit(by_hand: ImageModel, mode: edit.Mode) -> None:
    image = square(by_hand)
    image[3, 3] = 77  # what no decoder draws
    result = edit.edit(image, edit.targets_of({"x": "+0", "scale": "x1"}, by_hand), by_hand, mode=mode)
    assert not result.changed
    assert (result.image == image).all()
    assert result.met.all()


def test_more_than_the_corpus_has_is_clamped(by_hand: ImageModel) -> None:
    result = edit.edit(square(by_hand), edit.targets_of({"x": "+99px"}, by_hand), by_hand)
    assert result.asked[0] > 3
    assert result.wanted[0] == pytest.approx(0.8, abs=0.01)
    assert result.achieved[0] == pytest.approx(0.8, abs=0.03)


def test_a_ramp_and_an_unknown_slider_are_refused(by_hand: ImageModel) -> None:
    with pytest.raises(UsageError, match="a ramp over measures, which a picture does not have"):
        edit.targets_of({"x": "0:+0,8:+2"}, by_hand)
    with pytest.raises(CheckpointError, match="no attribute 'density'"):
        edit.targets_of({"density": "+1"}, by_hand)


def test_a_way_begins_and_ends_with_the_inputs(by_hand: ImageModel) -> None:
    ends = [square(by_hand, 0.3), square(by_hand, 0.7), square(by_hand, 0.5, 0.8)]
    path = edit.between(ends, by_hand, 5)
    assert len(path) == 9
    assert all((path[at] == end).all() for at, end in zip((0, 4, 8), ends, strict=True))
    places = by_hand.measure(np.stack(path[:5]))[:, 0]
    assert places == pytest.approx(np.linspace(0.3, 0.7, 5), abs=0.03)


def test_a_traversal_asks_for_the_corpuss_values(by_hand: ImageModel) -> None:
    found = edit.traversal(np.array([2.0, 2.4]), by_hand, 6)
    assert [one.name for one in found] == ["x", "scale"]
    for one in found:
        assert (np.diff(one.requested) > 0).all()
        assert one.realised == pytest.approx(one.requested, abs=0.05)


# ------------------------------------------------------------------------------------ evaluation


def test_an_evaluation_of_a_model_that_knows_nothing(random_model: ImageModel) -> None:
    options = evaluation.EvaluationOptions(images=120, controlled=30, traversed=10, probe_rows=100)
    result = evaluation.evaluate_model(random_model, some(200, 1), some(150, 2), options, {"corpus": "sprites"})
    assert tuple(result.headline) == evaluation.headline_names(SPRITES, digits=False)
    assert result.counts == {"images": 150, "evaluated": 120}
    assert result.representation["strict, oracle"]["scc"] > 0.9
    assert abs(result.headline["control_mean"]) < 0.5
    assert result.digits == {}
    again = evaluation.evaluate_model(random_model, some(200, 1), some(150, 2), options, {"corpus": "sprites"})
    assert again.headline == pytest.approx(result.headline, nan_ok=True)
    other = some(20)
    fewer = Examples(other.inputs, other.attributes[:, :1], ("shape",), other.pieces)
    with pytest.raises(ValueError, match="examples have"):
        evaluation.evaluate_model(random_model, fewer, fewer)


@pytest.mark.process
def test_the_classifier_learns_where_it_is() -> None:
    """Left, middle or right for three digits."""
    train, test = some(900, 1), some(200, 2)

    def thirds(examples: Examples) -> np.ndarray:
        return np.minimum(3 * examples.column("x"), 2).astype(np.int64)

    made = classifier.train(train.inputs, thirds(train))
    assert (made.classify(test.inputs[:]) == thirds(test)).mean() > 0.8
    assert made.classify(test.inputs[:0]).shape == (0,)
