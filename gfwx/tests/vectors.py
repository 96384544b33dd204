"""Reads the conformance vectors (see conformance/README.md)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "conformance"

DEFAULTS: dict[str, Any] = {
    "quality": 1024,
    "chroma_scale": 1,
    "block_size": 7,
    "filter": 0,
    "encoder": 1,
    "intent": 0,
    "transform": None,
    "metadata": [],
    "bit_depth": 0,
}


@dataclass(frozen=True)
class Decode:
    """A whole file, decoded."""

    downsampling: int
    dtype: str | None
    sha256: str


@dataclass(frozen=True)
class Truncated:
    """The first `size` bytes of a file, decoded."""

    size: int
    downsampling: int
    next: int | None
    sha256: str | None


@dataclass(frozen=True)
class Case:
    """One picture with one set of parameters, and all that must come of it."""

    id: str
    input: str
    tile: tuple[int, int]
    parameters: dict[str, Any]
    size: int
    sha256: str
    lossless: bool
    decodes: tuple[Decode, ...]
    truncated: tuple[Truncated, ...]

    @property
    def is_turbo(self) -> bool:
        """Whether the file can only be read."""
        return bool(self.parameters["encoder"] == 0)

    def image(self) -> NDArray[Any]:
        """The picture, (layers, height, width, channels)."""
        return four_dimensional(self.input, self.tile)

    def turbo_file(self) -> bytes:
        return arrays("turbo.npz")[self.id].tobytes()


@cache
def cases() -> tuple[Case, ...]:
    """All cases."""
    return tuple(map(parsed, json.loads((FOLDER / "cases.json").read_text())))


def parsed(entry: dict[str, Any]) -> Case:
    decodes = (Decode(*fields[:3]) for fields in entry["decodes"])
    truncated = (
        Truncated(size, downsampling, next_point or None, digest)
        for size, downsampling, next_point, digest, *_ in entry.get("truncated", [])
    )
    return Case(
        entry["id"],
        entry["input"],
        tuple(entry.get("tile", (1, 1))),
        {name: entry.get(name, default) for name, default in DEFAULTS.items()},
        entry["size"],
        entry["sha256"],
        entry.get("lossless", False),
        tuple(decodes),
        tuple(truncated),
    )


@cache
def arrays(name: str) -> dict[str, NDArray[Any]]:
    with np.load(FOLDER / name) as archive:
        return dict(archive)


@cache
def four_dimensional(name: str, tile: tuple[int, int]) -> NDArray[Any]:
    image = arrays("inputs.npz")[name]
    if image.ndim == 2:
        image = image[:, :, np.newaxis]
    if image.ndim == 3:
        image = image[np.newaxis]
    image = np.tile(image, (1, *tile, 1))
    image.flags.writeable = False
    return image


def digest(data: bytes | NDArray[Any]) -> str:
    """What the vectors call `sha256`."""
    if isinstance(data, np.ndarray):
        data = data.astype(data.dtype.newbyteorder("<")).tobytes()
    return hashlib.sha256(data).hexdigest()[:16]
