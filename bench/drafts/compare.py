"""Thumbnails of a picture of 50 megapixels through Pillow: open, draft, load.

python -m drafts.compare [--report DIR]
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from machine import one_core, processor
from pictures import debian, scikit_image
from PIL import Image

import gfwx.plugins.pillow  # noqa: F401 - registers the format

HERE = Path(__file__).parent
SIDES = 8192, 6144
WANTED = 200, 200
ROUNDS = 7
FORMATS: dict[str, dict[str, Any]] = {
    "gfwx, lossless": {"format": "GFWX"},
    "gfwx, quality 256": {"format": "GFWX", "quality": 256, "chroma_scale": 8},
    "JPEG, quality 90": {"format": "JPEG", "quality": 90},
}


class CountingFile(io.FileIO):
    """A file that counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size)
        self.count += len(data or b"")
        return data or b""


def main() -> None:
    """Measure all formats in turn, and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--report", type=Path, default=HERE / "report", help="folder of the report")
    asked = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None
    name, picture = scene()
    results: dict[str, dict[str, Any]] = {}
    with one_core(), tempfile.TemporaryDirectory() as folder:
        for number, options in enumerate(FORMATS.values()):
            picture.save(Path(folder, f"{number}"), **options)
        times: dict[str, list[list[float]]] = {title: [] for title in FORMATS}
        for _ in range(ROUNDS):
            for number, title in enumerate(FORMATS):
                path = Path(folder, f"{number}")
                whole, _, _ = load(path, None)
                draft, read, size = load(path, WANTED)
                times[title].append([whole, draft])
                results[title] = {"read": read, "file": path.stat().st_size, "size": size}
    for title, rounds in times.items():
        whole, draft = zip(*rounds, strict=True)
        ratio = statistics.median(one / other for one, other in rounds)
        results[title] |= {
            "whole": statistics.median(whole),
            "draft": statistics.median(draft),
            "ratio": ratio,
        }
    write_report(asked.report, name, results)


def scene() -> tuple[str, Image.Image]:
    """Repeat a photograph, mirrored, until it has 50 megapixels."""
    photograph = (*debian(), *scikit_image())[0]
    image = photograph.load()
    mirrored = np.concatenate([image, image[:, ::-1]], 1)
    mirrored = np.concatenate([mirrored, mirrored[::-1]], 0)
    times = (-(-SIDES[1] // mirrored.shape[0]), -(-SIDES[0] // mirrored.shape[1]), 1)
    return photograph.name, Image.fromarray(np.tile(mirrored, times)[: SIDES[1], : SIDES[0]].copy())


def load(path: Path, wanted: tuple[int, int] | None) -> tuple[float, int, tuple[int, int]]:
    """Open and load a picture; return seconds, bytes read, and the size that came."""
    with CountingFile(path, "rb") as file:
        start = time.perf_counter()
        with Image.open(file) as picture:
            if wanted:
                picture.draft("RGB", wanted)
            picture.load()
            seconds = time.perf_counter() - start
            return seconds, file.count, picture.size


def write_report(folder: Path, name: str, results: dict[str, dict[str, Any]]) -> None:
    """Write the results as they are, and as a table."""
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "picture": f"{name}, {SIDES[0]} x {SIDES[1]}, RGB of 8 bits",
        "processor": processor(),
        "libraries": f"gfwx {version('gfwx')}, Pillow {version('pillow')}",
    }
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"facts": facts, "results": results}, indent=1)
    (folder / "results.json").write_text(content + "\n", encoding="utf-8")
    lines = [
        "# Thumbnails of a large picture, through Pillow",
        "",
        f'Made by `python -m nox -s bench_drafts`: open, `draft("RGB", {WANTED})` and load, beside '
        f"loading the whole picture, on one thread. Medians of {ROUNDS} rounds, in which the "
        "formats take turns.",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {fact} | {value} |" for fact, value in facts.items()),
        "",
        "| | whole, ms | draft, ms | times as fast | size | bytes of the file | bytes read |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for title, one in results.items():
        cells = [
            title,
            f"{1000 * one['whole']:.0f}",
            f"{1000 * one['draft']:.1f}",
            f"{one['ratio']:.0f}",
            "{} x {}".format(*one["size"]),
            f"{one['file']}",
            f"{one['read']} ({100 * one['read'] / one['file']:.1f} %)",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    (folder / "drafts.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
