"""Compress four photographs: a table of figures, and a sheet that shows what one file can do.

Run ``python -m nox -s demo``, or this file where gfwx, imagecodecs, Pillow, rich and scikit-image
are installed. The photographs come with scikit-image.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import comparison
import numpy as np
import sheet
import skimage.data
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

PHOTOGRAPHS = ("chelsea", "astronaut", "coffee", "retina")
REPOSITORY = Path(__file__).resolve().parents[2]


def main() -> None:
    """Measure, print the table, draw the sheet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "demo")
    parser.add_argument("--seconds", type=float, default=0.25, help="least time to time a call for")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    console = Console()
    if not console.is_terminal:
        console = Console(width=100)

    photographs = {name: photograph(name) for name in PHOTOGRAPHS}
    results = measure(photographs, options.seconds, console)
    for name, rows in results.items():
        console.print(table(name, photographs[name], rows))
    console.print(
        "One thread, median of several runs. MB/s are of raw samples, PSNR is over all samples.\n"
        "JPEG 2000 (OpenJPEG) and PNG are imagecodecs' at their defaults. Lossy JPEG 2000 files\n"
        "are the smallest that reach the PSNR of the gfwx files above them.\n",
        highlight=False,
    )

    path = options.output / "sheet.png"
    with console.status("Drawing the sheet"):
        sheet.draw(photographs).save(path)
    console.print(f"Progressive and downsampled decoding: [bold]{path}[/]", soft_wrap=True)


def photograph(name: str) -> NDArray[np.uint8]:
    """One of scikit-image's photographs, (H, W, 3)."""
    return np.ascontiguousarray(getattr(skimage.data, name)())


def measure(
    photographs: dict[str, NDArray[np.uint8]], seconds: float, console: Console
) -> dict[str, list[comparison.Result]]:
    """Results of all ways to compress the photographs, with progress shown."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    results: dict[str, list[comparison.Result]] = {}
    with Progress(*columns, console=console, transient=True) as progress:
        total = len(photographs) * comparison.COUNT
        task = progress.add_task("", total=total)
        for name, image in photographs.items():
            results[name] = []
            progress.update(task, description=f"Compressing {name}")
            for result in comparison.compare(image, seconds):
                results[name].append(result)
                progress.advance(task)
    return results


def table(name: str, image: NDArray[np.uint8], rows: list[comparison.Result]) -> Table:
    """Present the results of one photograph."""
    height, width, _ = image.shape
    made = Table(
        title=f"{name}, {width} x {height} RGB, {image.nbytes:,} bytes", title_justify="left"
    )
    made.add_column("codec")
    made.add_column("settings", min_width=20)
    for heading in ("bytes", "ratio", "PSNR\ndB", "encode\nMB/s", "decode\nMB/s"):
        made.add_column(heading, justify="right")
    for row in rows:
        made.add_row(
            row.codec,
            row.settings,
            f"{row.size:,}",
            f"{image.nbytes / row.size:.2f}",
            "exact" if row.psnr is None else f"{row.psnr:.2f}",
            f"{row.encode_speed:.0f}",
            f"{row.decode_speed:.0f}",
            style="bold" if row.codec == "gfwx" else "dim",
            end_section=row.ends_section,
        )
    return made


if __name__ == "__main__":
    main()
