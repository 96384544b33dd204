"""Data sets to train on: scikit-learn's digits, files of MNIST's kind, and arrays of your own."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaetheory.errors import ArgumentError

FOLDER_VARIABLE: Final = "VAETHEORY_DATA"
"""Environment variable that names a folder with the files of MNIST or Fashion-MNIST."""

DEBIAN_FOLDERS: Final = {"fashion-mnist": Path("/usr/share/datasets/fashion-mnist")}
"""Where Debian's package dataset-fashion-mnist puts them."""

_FILES: Final = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")
_TESTED_SHARE: Final = 6
"""One sample out of so many is kept for tests where a data set does not say which."""


@dataclass(frozen=True, eq=False)
class DataSet:
    """Data to train on and other data to test on.

    Attributes
    ----------
    name : str
        What was asked for.
    training, testing : Tensor, shape (n, *s)
        Samples in float32; images from 0 to 1.
    """

    name: str
    training: Tensor
    testing: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.training.shape[1:])


def load_data(name: str, folder: Path | None = None) -> DataSet:
    """Load a data set.

    Parameters
    ----------
    name : str
        ``"digits"``, scikit-learn's 1797 images of 8 x 8 pixels; ``"mnist"`` or
        ``"fashion-mnist"``, from files as these are distributed (``train-images-idx3-ubyte`` and
        ``t10k-images-idx3-ubyte``, with or without ``.gz``); or the path of a ``.npy`` file with an
        array (n, ...), of which every sixth sample is kept for tests, or a ``.npz`` file with
        arrays ``training`` and ``testing``. Unsigned integers of 8 bits are divided by 255, other
        numbers are taken as they are.
    folder : Path, optional
        Where the files of MNIST and Fashion-MNIST are, there or in a folder of that name in it; by
        default what the environment variable VAETHEORY_DATA names, or where Debian's package
        dataset-fashion-mnist puts them.

    Raises
    ------
    ArgumentError
        If the files are not there, or do not hold such data.
    """
    if name == "digits":
        return _digits()
    if name in ("mnist", "fashion-mnist"):
        return _idx_files(name, folder)
    path = Path(name)
    if path.suffix in (".npy", ".npz"):
        return _arrays(path)
    raise ArgumentError(
        f"data must be 'digits', 'mnist', 'fashion-mnist' or the path of a .npy or .npz file, "
        f"got {name!r}"
    )


def _digits() -> DataSet:
    from sklearn.datasets import load_digits

    images = load_digits().images.astype(np.float32) / 16
    return DataSet("digits", *_split(images))


def _split(samples: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
    """Keep every sixth sample of a fixed shuffle for tests."""
    whole = torch.as_tensor(samples)
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(0))
    tested = len(whole) // _TESTED_SHARE
    return whole[order[tested:]], whole[order[:tested]]


def _idx_files(name: str, folder: Path | None) -> DataSet:
    if folder is None and FOLDER_VARIABLE in os.environ:
        folder = Path(os.environ[FOLDER_VARIABLE])
    if folder is None:
        folder = DEBIAN_FOLDERS.get(name)
    if folder is None:
        raise ArgumentError(
            f"data {name!r} needs a folder with its files: give one, or set {FOLDER_VARIABLE}"
        )
    parts = [_to_tensor(_read_idx(_find(folder, name, file))) for file in _FILES]
    return DataSet(name, *parts)


def _find(folder: Path, name: str, file: str) -> Path:
    places = [one / (file + suffix) for one in (folder, folder / name) for suffix in ("", ".gz")]
    for path in places:
        if path.is_file():
            return path
    raise ArgumentError(
        f"data {name!r} needs the file {file} or {file}.gz in {folder} or {folder / name}"
    )


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Read images (n, rows, columns) in the format of MNIST's files."""
    opened: Callable[[Path], bytes] = _read_gzip if path.suffix == ".gz" else Path.read_bytes
    try:
        content = opened(path)
    except (OSError, EOFError) as error:
        raise ArgumentError(f"data file {path} cannot be read: {error}") from error
    if len(content) < 16 or content[:4] != b"\0\0\x08\x03":
        raise ArgumentError(f"data file {path} does not hold images in the idx format")
    count, rows, columns = (
        int.from_bytes(content[first : first + 4], "big") for first in (4, 8, 12)
    )
    if count * rows * columns != len(content) - 16 or count == 0:
        raise ArgumentError(
            f"data file {path} should have {count} images of {rows} x {columns} bytes, but has "
            f"{len(content) - 16} bytes"
        )
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, rows, columns)


def _read_gzip(path: Path) -> bytes:
    with gzip.open(path) as file:
        return file.read()


def _arrays(path: Path) -> DataSet:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return DataSet(str(path), *_split(_to_tensor(loaded).numpy()))
        with loaded:
            missing = {"training", "testing"} - set(loaded.files)
            if missing:
                raise ArgumentError(
                    f"data file {path} must hold arrays 'training' and 'testing', but has "
                    f"{', '.join(map(repr, loaded.files)) or 'none'}"
                )
            parts = [_to_tensor(loaded[key]) for key in ("training", "testing")]
    except (OSError, EOFError, ValueError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(f"data file {path} cannot be read: {error}") from error
    if parts[0].shape[1:] != parts[1].shape[1:]:
        raise ArgumentError(
            f"data file {path} must have training and testing samples of one shape, but has "
            f"{tuple(parts[0].shape[1:])} and {tuple(parts[1].shape[1:])}"
        )
    return DataSet(str(path), *parts)


def _to_tensor(samples: NDArray[np.generic]) -> Tensor:
    """Samples as float32, checked."""
    if samples.dtype.kind not in "biuf":
        raise ArgumentError(f"data must be an array of real numbers, got dtype {samples.dtype}")
    if samples.ndim < 2 or samples.size == 0:
        raise ArgumentError(f"data must have shape (n, ...), got {samples.shape}")
    tensor = torch.as_tensor(samples.astype(np.float32))
    if samples.dtype == np.uint8:
        tensor /= 255
    if not bool(torch.isfinite(tensor).all()):
        first = int((~torch.isfinite(tensor.flatten(1)).all(1)).nonzero()[0, 0])
        raise ArgumentError(f"data must be finite, but sample {first} contains NaN or infinity")
    return tensor
