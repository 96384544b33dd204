"""What one run measures: which pictures, as which kinds of samples, how often."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pictures
import samples
from pictures import Array, Picture

# The photographs of the headline figures; the others take part where only sizes count.
HEADLINE: Final = {
    "rgb8": ("Kleiber", "Elephants", "Small Seeding", "Small Dragonfly"),
    "rgb12": ("Kleiber",),
    "rgb12-half": ("Kleiber", "Dragonfly"),
    "bayer8": ("Kleiber",),
    "bayer12": ("Kleiber",),
    "bayer12-half": ("Kleiber", "Dragonfly"),
}
ALL_THREADS: Final = ("rgb8", "rgb12-half", "bayer12-half", "rgb16", "bayer16", "gray8", "gray16")
SMALL: Final = 8_000_000
"""Bytes up to which a call is timed more often."""


@dataclass(frozen=True)
class Case:
    """A picture as one kind of samples."""

    picture: Picture
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}-{self.picture.name}"

    def load(self) -> Array:
        return _made(self)


@dataclass(frozen=True)
class Plan:
    """The pictures of a run, and whether it is a quick one."""

    all_pictures: tuple[Picture, ...]
    is_default: bool
    quick: bool
    note: str

    def cases(self) -> list[Case]:
        """Return what is timed, sorted by kind."""
        if self.is_default:
            by_name = {picture.name: picture for picture in self.all_pictures}
            names = [(kind, name) for kind, listed in HEADLINE.items() for name in listed]
            return [Case(by_name[name], kind) for kind, name in names if name in by_name]
        return self.size_cases()

    def size_cases(self) -> list[Case]:
        """Return everything that can be made from all pictures, sorted by kind."""
        made = [
            Case(picture, kind)
            for picture in self.all_pictures
            for kind in samples.kinds_of(picture.load())
            # Only the low bits, which are random, set rgb12 apart from rgb8.
            if kind != "rgb12"
            and not (self.quick and kind == "bayer12")
            # Scaling is for the repetitions that JPEG leaves in 8-bit pictures.
            and (kind == "rgb8" or picture.scale == (1, 1))
        ]
        order = list(samples.KINDS)
        return sorted(made, key=lambda case: order.index(case.kind))

    def all_threads_cases(self) -> list[Case]:
        """Return the first picture of some kinds."""
        first: dict[str, Case] = {}
        for case in self.cases():
            if case.kind in ALL_THREADS:
                first.setdefault(case.kind, case)
        return list(first.values())

    def photographs(self) -> list[Picture]:
        """Return the RGB pictures of 8 bits, those of the headline first."""
        return list(dict.fromkeys(case.picture for case in self.cases() if case.kind == "rgb8"))

    def rounds(self, size: int, slow: bool) -> int:
        """Return how often to time calls that handle so many bytes."""
        if self.quick or (slow and size > SMALL):
            return 3
        return 5 if size > SMALL else 15


def make_plan(folder: Path | None, quick: bool) -> Plan:
    """Choose the pictures of a run.

    Parameters
    ----------
    folder : Path or None
        The user's own pictures.
    quick : bool
        Take small pictures that are there already.

    Returns
    -------
    Plan
        What to measure.
    """
    if folder is not None:
        return Plan(pictures.in_folder(folder), False, quick, f"Pictures of the user's: {folder}.")
    if quick:
        note = "A quick run, on scikit-image's small photographs: not for publication."
        return Plan(pictures.scikit_image()[:2], False, quick, note)
    found = pictures.debian()
    if len(found) == len(pictures.DEBIAN):
        return Plan(found, True, quick, "")
    note = "The large photographs could not be had: these are scikit-image's small ones."
    return Plan(pictures.scikit_image(), False, quick, note)


@cache
def crop(picture: Picture, height: int, width: int) -> Array:
    """Cut a part out of a picture's center."""
    image = picture.load()
    top, left = max(0, (image.shape[0] - height) // 2), max(0, (image.shape[1] - width) // 2)
    return np.ascontiguousarray(image[top : top + height, left : left + width])


SIDES: Final = {1: 1024, 4: 2048, 16: 4096, 64: 8192}
"""Rows and columns by (binary) megapixels."""


def square(image: Array, megapixels: int) -> tuple[Array, bool]:
    """Return so many megapixels of a picture, and whether it had to be tiled for that."""
    pixels = megapixels << 20
    if image.shape[0] * image.shape[1] >= pixels:
        rows = min(image.shape[0], SIDES[megapixels])
        return np.ascontiguousarray(image[:rows, : pixels // rows]), False
    side = SIDES[megapixels]
    repeats = -(-side // image.shape[0]), -(-side // image.shape[1]), 1
    return np.ascontiguousarray(np.tile(image, repeats)[:side, :side]), True


_last: dict[Case, Array] = {}


def _made(case: Case) -> Array:
    """Make a case's samples, keeping those of the last case only."""
    if case not in _last:
        _last.clear()
        _last[case] = samples.make(case.picture.load(), case.kind)
    return _last[case]
