"""The sequences that are measured: what a fixed camera sees, and one that moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import imagecodecs
import numpy as np
import skimage.data
from numpy.typing import NDArray
from pictures import Origin, find

Array = NDArray[Any]

FRAMES = 48

VIDEOS = {
    "street, compressed before": Origin(
        package="opencv-doc",
        path="usr/share/doc/opencv-doc/examples/data/vtest.avi",
        author="OpenCV",
        licence="Apache-2.0",
        sha256="45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf",
        jpeg_quality=0,
    ),
    "branches, compressed before": Origin(
        package="opencv-doc",
        path="usr/share/doc/opencv-doc/examples/data/tree.avi",
        author="OpenCV",
        licence="Apache-2.0",
        sha256="4666099d0f704e310047b2f0a5ec9f936cb76a7271de9a2e70a0c57f82ac82dc",
        jpeg_quality=0,
    ),
}


def scenes(folder: Path | None) -> Iterator[tuple[str, Array]]:
    """Make or find all sequences, (frames, height, width[, channels])."""
    if folder is not None:
        for one in sorted(path for path in folder.iterdir() if path.is_dir()):
            yield one.name, _in_folder(one)
        return
    for name, origin in VIDEOS.items():
        file = find(origin)
        if file is not None:
            yield name, _video(file)
    for name, electrons in (("bright", 20_000), ("dim", 1000), ("dark", 50)):
        yield f"still under a microscope, {name}", _still(electrons)
    yield "camera that moves", _moving()


def _video(file: Path) -> Array:
    with av.open(str(file)) as container:
        frames = [
            frame.to_ndarray(format="rgb24")
            for frame, _ in zip(container.decode(video=0), range(FRAMES), strict=False)
        ]
    return np.stack(frames)


def _still(electrons: float) -> Array:
    """Photograph, seen again and again through the noise of photons and of a camera."""
    source = np.random.default_rng(2026)
    scene = skimage.data.camera() * (electrons / 255)
    noisy = source.poisson(scene, (FRAMES, *scene.shape)) + source.normal(
        0, 2, (FRAMES, *scene.shape)
    )
    gain = 0.6
    return np.clip(np.rint(100 + gain * noisy), 0, 65535).astype(np.uint16)


def _moving() -> Array:
    """Photograph, over which a window moves by a pixel from frame to frame."""
    scene = skimage.data.chelsea()
    return np.stack([scene[:, start : start + 400] for start in range(FRAMES)])


def _in_folder(folder: Path) -> Array:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return np.stack([imagecodecs.imread(file) for file in files])
