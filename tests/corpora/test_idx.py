"""IDX files written by hand are read back, and the errors for other files say what is wrong with them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from arvae_music.corpora import idx
from arvae_music.errors import InputError

IMAGES = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)


def whole(items: np.ndarray, magic: int) -> bytes:
    return struct.pack(f">{1 + items.ndim}I", magic, *items.shape) + items.tobytes()


def read(path: Path, magic: int = idx.IMAGES, shape: tuple[int, ...] = (4, 3)) -> np.ndarray:
    return np.concatenate(list(idx.read(path, magic, shape)))


@pytest.mark.parametrize("packed", [False, True])
def test_images_and_labels_are_read_plain_and_from_gzip(tmp_path: Path, packed: bool) -> None:
    wrap = gzip.compress if packed else bytes
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.write_bytes(wrap(whole(IMAGES, 0x803)))
    labels.write_bytes(wrap(whole(np.array([7, 2, 1], dtype=np.uint8), 0x801)))
    assert (read(images) == IMAGES).all()
    assert idx.count(images, idx.IMAGES) == 5
    assert read(labels, idx.LABELS, ()).tolist() == [7, 2, 1]


def test_a_file_is_read_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "CHUNK", 2)
    path = tmp_path / "images"
    path.write_bytes(whole(IMAGES, 0x803))
    assert [len(part) for part in idx.read(path, idx.IMAGES, (4, 3))] == [2, 2, 1]


GOOD = whole(IMAGES, 0x803)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x00\x00\x08\x04" + GOOD[4:], "magic number is 0x00000804, not 0x00000803"),
        (whole(np.zeros(3, dtype=np.uint8), 0x801), r"0x00000801 \(IDX labels\), not 0x00000803 \(IDX images\)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "magic number is 0x89504e47"),
        (b"", "it has 0 bytes"),
        (GOOD[:9], "ends within its header"),
        (GOOD[:-1], "ends after 4 of 5 images"),
        (GOOD[:16], "ends after 0 of 5 images"),
        (GOOD + b"x", "has more data after its 5 images"),
        (whole(IMAGES.reshape(5, 3, 4), 0x803), "3 x 4 pixels, not 4 x 3"),
        (gzip.compress(GOOD, mtime=0)[:-12], "gzip data is damaged or cut off"),
        (gzip.compress(GOOD, mtime=0)[:14], "gzip data is damaged or cut off"),
        (b"\x1f\x8b" + bytes(30), "gzip data is damaged or cut off"),
        (gzip.compress(GOOD, mtime=0)[:-6] + bytes(6), "gzip data is damaged or cut off"),
    ],
)
def test_the_error_says_why_a_file_is_not_read(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said) as raised:
        read(path)
    assert raised.value.where == str(path)
    assert raised.value.remedy


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "nothing")
