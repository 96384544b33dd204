"""The photographs: where they come from, under which licence, and how to get them.

They are JPEG files in Debian's packages. Installed packages are used; else the packages are
downloaded with ``apt-get`` and unpacked into a cache, without installing anything. Without either,
scikit-image's photographs take their place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import skimage.data
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from samples import scaled

Array = NDArray[Any]
BACKGROUNDS = "usr/share/backgrounds"
STRONG_COMPRESSION = 90
"""Quality of JPEG files up to which decoded pictures lack much of their noise."""


@dataclass(frozen=True)
class Origin:
    """Where a picture comes from."""

    package: str
    path: str
    author: str
    licence: str
    sha256: str
    jpeg_quality: int
    scale: tuple[int, int] = (1, 1)
    note: str = ""

    @property
    def notes(self) -> str:
        notes = [self.note] if self.note else []
        if self.scale != (1, 1):
            notes.append("scaled by {}/{}, means over areas".format(*self.scale))
        return ", ".join([*notes, f"from a JPEG file of quality {self.jpeg_quality}"])

    @property
    def strongly_compressed(self) -> bool:
        return self.jpeg_quality <= STRONG_COMPRESSION and self.scale == (1, 1)


@dataclass(frozen=True)
class Picture:
    """A picture as it was found; `scale` is the factor on its height and width as a fraction."""

    name: str
    file: Path | None
    author: str
    licence: str
    origin: str
    note: str = ""
    scale: tuple[int, int] = (1, 1)
    strongly_compressed: bool = False

    def load(self) -> Array:
        return _load(self)


DEBIAN = {
    "Kleiber": Origin(
        "lomiri-wallpapers-20.04",
        f"{BACKGROUNDS}/Kleiber_by_Lukas_Baubkus.jpg",
        "Lukas Baubkus",
        "CC-BY-SA-3.0",
        "6572410c09f4492c74ccadde133565a14c0161617d5917d4c820c66d65a44ba7",
        92,
    ),
    "Seeding": Origin(
        "lomiri-wallpapers-16.04",
        f"{BACKGROUNDS}/seeding_by_Clements_Engelhardt.jpg",
        "Clemens Engelhardt",
        "CC0-1.0",
        "a5634d1ab5e41a3568e92d4a894a500c92b891f9ff734e50bd224d6e185a605f",
        85,
    ),
    "Dragonfly": Origin(
        "lomiri-wallpapers-16.04",
        f"{BACKGROUNDS}/Dragonfly_by_Bolly.jpg",
        "Bolly",
        "CC-BY-SA-4.0",
        "af5af17841009732def24b09bb1e669a1b09d2b4bdeee7812c371101c30d2bb3",
        85,
    ),
    "Sunset": Origin(
        "lomiri-wallpapers-16.04",
        f"{BACKGROUNDS}/sunset_by_Aitzol_Berasategi.jpg",
        "Aitzol Berasategi",
        "CC-BY-4.0",
        "474dab6a4b9f94dc76c29dfe30e9f5db4af0fd2e33fe5d695f8152b371efca18",
        85,
    ),
    "Bridge": Origin(
        "lomiri-wallpapers-16.04",
        f"{BACKGROUNDS}/Bridge_by_Sander_Klootwijk.jpg",
        "Sander Klootwijk",
        "CC-BY-SA-4.0",
        "bd86b081f9975e2b83527f71e49b9271a8ab40885428395969d9f7d834d7f050",
        90,
    ),
    "Elephants": Origin(
        "mate-backgrounds",
        f"{BACKGROUNDS}/mate/abstract/Elephants_5640x3172.jpg",
        "Wyng Stancikaite",
        "GPL-2+",
        "7ab602cd55aedd107743973353e58771860d1a74a0cd0701e8351096535edde8",
        100,
        note="a painting photographed and mirrored",
    ),
}
# Once more, scaled to 10 megapixels, so that JPEG's blocks leave no exact repetitions.
DEBIAN["Small Seeding"] = replace(DEBIAN["Seeding"], scale=(4, 5))
DEBIAN["Small Dragonfly"] = replace(DEBIAN["Dragonfly"], scale=(7, 8))
DEBIAN["Small Sunset"] = replace(DEBIAN["Sunset"], scale=(10, 11))
DEBIAN["Small Bridge"] = replace(DEBIAN["Bridge"], scale=(36, 37))
SCIKIT_IMAGE = ("astronaut", "coffee", "retina")


def cache_folder() -> Path:
    """Return where unpacked packages are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gfwx-bench"


@cache
def debian() -> tuple[Picture, ...]:
    """Find the pictures of Debian's packages, fetching those that are not there.

    Returns
    -------
    tuple of Picture
        Those found, with the right content; empty without Debian's package manager or network.
    """
    found = []
    for name, origin in DEBIAN.items():
        file = find(origin)
        if file is None:
            continue
        package = f"Debian package {origin.package}"
        found.append(
            Picture(
                name,
                file,
                origin.author,
                origin.licence,
                package,
                origin.notes,
                origin.scale,
                origin.strongly_compressed,
            )
        )
    return tuple(found)


def find(origin: Origin) -> Path | None:
    """Find a file of a Debian package, fetching it if it is not there; None if it cannot be had.

    Raises
    ------
    ValueError
        It has another content.
    """
    file = _installed(origin) or _fetched(origin)
    if file and hashlib.sha256(file.read_bytes()).hexdigest() != origin.sha256:
        raise ValueError(f"{file} is not the one meant: its SHA-256 is another")
    return file


def scikit_image() -> tuple[Picture, ...]:
    """Return the small photographs that come with scikit-image."""
    licence = "public domain or CC0"
    return tuple(
        Picture(name, None, "see skimage.data", licence, "scikit-image") for name in SCIKIT_IMAGE
    )


def in_folder(folder: Path) -> tuple[Picture, ...]:
    """Return whatever in a folder can be read as a picture."""
    found = []
    for file in sorted(folder.iterdir()):
        picture = Picture(file.stem, file, "", "", f"file {file.name}")
        if file.is_file() and _readable(picture):
            found.append(picture)
    if not found:
        raise ValueError(f"no picture in {folder}")
    return tuple(found)


def _readable(picture: Picture) -> bool:
    try:
        image = picture.load()
    except (ValueError, OSError, UnidentifiedImageError):
        return False
    return image.dtype in (np.uint8, np.uint16) and image.ndim in (2, 3)


@cache
def _load(picture: Picture) -> Array:
    if picture.file is None:
        image: Array = np.asarray(getattr(skimage.data, picture.name)())
    elif picture.file.suffix.lower() in (".tif", ".tiff"):
        image = tifffile.imread(picture.file)
    else:
        image = _decode(picture.file)
    if image.ndim == 3:
        image = image[..., :3] if image.shape[-1] > 2 else image[..., 0]
    return scaled(np.ascontiguousarray(image), *picture.scale)


def _decode(file: Path) -> Array:
    try:
        image: Array = imagecodecs.imread(file)
    except (ValueError, OSError, RuntimeError):
        Image.MAX_IMAGE_PIXELS = None
        with Image.open(file) as opened:
            image = np.asarray(opened if opened.mode.startswith("I") else opened.convert("RGB"))
    return image


def _installed(origin: Origin) -> Path | None:
    file = Path("/") / origin.path
    return file if file.is_file() else None


def _fetched(origin: Origin) -> Path | None:
    folder = cache_folder() / origin.package
    file = folder / origin.path
    if not file.is_file() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        _fetch(origin.package, folder)
    return file if file.is_file() else None


@cache
def _fetch(package: str, folder: Path) -> None:
    """Download a package and unpack it into a folder; without a network nothing happens."""
    with tempfile.TemporaryDirectory() as download:
        command = ["apt-get", "download", package]
        # apt-get downloads as another user where it runs as root, who must be able to write.
        Path(download).chmod(0o777)
        if subprocess.run(command, cwd=download, capture_output=True, check=False).returncode:
            return
        for archive in Path(download).glob("*.deb"):
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
