"""Data sets from scikit-learn, from files of MNIST's kind, and from arrays."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from vaetheory.errors import ArgumentError
from vaetheory.training.data_sets import FOLDER_VARIABLE, load_data

NAMES = "train-images-idx3-ubyte", "t10k-images-idx3-ubyte"


def idx(images: np.ndarray) -> bytes:
    sizes = b"".join(int(size).to_bytes(4, "big") for size in images.shape)
    return b"\0\0\x08\x03" + sizes + images.tobytes()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (10, 3, 4), np.uint8)


def test_digits() -> None:
    data = load_data("digits")
    assert data.shape == (8, 8)
    assert (len(data.training), len(data.testing)) == (1498, 299)
    assert data.training.dtype == torch.float32
    assert (data.training.min(), data.training.max()) == (0, 1)
    again = load_data("digits")
    assert torch.equal(again.testing, data.testing)


def test_files_of_mnist(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    (folder / NAMES[0]).write_bytes(idx(images))
    (folder / f"{NAMES[1]}.gz").write_bytes(gzip.compress(idx(images[:4])))
    expected = torch.as_tensor(images) / 255
    for data in (
        load_data("fashion-mnist", tmp_path),
        load_data("fashion-mnist", folder),
    ):
        assert torch.equal(data.training, expected)
        assert torch.equal(data.testing, expected[:4])
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    assert torch.equal(load_data("mnist").training, expected)
    monkeypatch.delenv(FOLDER_VARIABLE)
    with pytest.raises(ArgumentError, match="needs a folder with its files"):
        load_data("mnist")
    with pytest.raises(ArgumentError, match=r"needs the file train-images-idx3-ubyte or"):
        load_data("mnist", tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not hold images in the idx format"),
        (b"\0\0\x08\x01" + bytes(20), "does not hold images in the idx format"),
        (idx(np.zeros((2, 3, 4), np.uint8))[:-1], "should have 2 images of 3 x 4 bytes"),
        (idx(np.zeros((0, 3, 4), np.uint8)), "should have 0 images"),
    ],
)
def test_damaged_files(content: bytes, message: str, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ArgumentError, match=message):
        load_data("mnist", tmp_path)
    for name in NAMES:
        (tmp_path / name).unlink()
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content)[:-3])
    with pytest.raises(ArgumentError, match="cannot be read"):
        load_data("mnist", tmp_path)


def test_arrays(images: np.ndarray, tmp_path: Path) -> None:
    whole = tmp_path / "whole.npy"
    np.save(whole, images.astype(np.float64))
    data = load_data(str(whole))
    assert (len(data.training), len(data.testing)) == (9, 1)
    together = torch.cat([data.training, data.testing]).flatten(1)
    expected = torch.as_tensor(images).float().flatten(1)
    assert torch.equal(together.sort(0).values, expected.sort(0).values)
    parts = tmp_path / "parts.npz"
    np.savez(parts, training=images, testing=images[:2].astype(np.int16))
    data = load_data(str(parts))
    assert torch.equal(data.training, torch.as_tensor(images) / 255)
    assert torch.equal(data.testing, torch.as_tensor(images[:2]).float())


def test_bad_arrays(images: np.ndarray, tmp_path: Path) -> None:
    def refused(message: str, **arrays: np.ndarray) -> None:
        path = tmp_path / "bad.npz"
        np.savez(path, **arrays)  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match=message):
            load_data(str(path))

    damaged = images.astype(np.float32)
    damaged[2, 1, 1] = np.nan
    refused("sample 2 contains NaN or infinity", training=damaged, testing=images)
    refused("of one shape, but has", training=images, testing=images[:, :2])
    refused("must hold arrays 'training' and 'testing', but has 'train'", train=images)
    refused("must have shape", training=images[:, 0, 0], testing=images)
    refused("must have shape", training=images[:0], testing=images)
    refused("must be an array of real numbers", training=images * 1j, testing=images)
    path = tmp_path / "damaged.npy"
    np.save(path, images)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ArgumentError, match="cannot be read"):
        load_data(str(path))
    with pytest.raises(ArgumentError, match="cannot be read"):
        load_data(str(tmp_path / "missing.npz"))
    with pytest.raises(ArgumentError, match="data must be 'digits'"):
        load_data("imagenet")
