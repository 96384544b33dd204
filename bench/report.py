"""The report of a run: ``index.md`` and its plots.

``python report.py FOLDER`` draws it anew from the ``results.json`` in a folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import checks
import plots
import samples
import tables
import totals
from results import Results

INTRODUCTION = """\
# Benchmarks of gfwx

Made by `python -m nox -s bench` in one run, on {date}. Speeds are of raw samples (1 MB = 10^6
bytes), from the median of the rounds; `results.json` has the least times too. Every lossless file
was decoded and compared with its picture.

| | |
| --- | --- |
| processor | {processor}, {cores} cores, {memory_GB} GB |
| gfwx | {gfwx}, instruction set {instruction_set} |
| peers | imagecodecs {imagecodecs} |
| system | {system}, Python {python}, NumPy {numpy} |
"""

LOSSLESS = """\
One thread, and the process kept on one core. Blue: gfwx; red: the others. The dashed line is the
frontier: nothing is both smaller and faster than what lies on it. Several pictures are taken
together: all their bytes by all their time.
"""

THREADS = """\
JPEG 2000, JPEG XL and the encoder of WebP have an option for threads; HTJ2K (OpenJPH), JPEG-LS
(CharLS), QOI, PNG, LERC and the decoder of WebP have none in imagecodecs.
"""

BAYER = """\
Other codecs get a mosaic as a gray picture and cut into its four planes ("split"); the cutting is
not counted.
"""

CONDITIONS = """\
gfwx with `encoder="auto"` and `transform="auto"`, over all pictures:
"""

LOSSY = """\
PSNR is over all samples of red, green and blue; MS-SSIM over luma (five scales, the usual
weights). The values at equal bytes lie on straight lines between neighboring settings, over the
logarithm of the size. JPEG XL aims at neither of these measures. Speeds are of one thread, one call
for each setting.
"""

SCALING = """\
The cost of a pixel from 1 to 64 megapixels: cut from the largest photograph as long as it is large
enough, {tiled}. The sizes take turns, seven times; the least
time of each counts, of two calls or more: the second takes over the memory of the first one's
picture, which spares a large one the making of its pages.
"""

BESIDE_PROCESSES = """\
Threads of one process, beside so many processes of one thread at once; they take turns, seven
times, and ratios are medians of those of a turn:
"""

MEMORY = """\
Measured in a process of its own for each call, here on one thread: libraries and input are loaded,
the peak of resident memory is reset (`/proc/self/clear_refs`), and after the call the peak
is read (`VmHWM`). What was resident before (the input with it), pages of files (those of programs
that the call was the first to use) and the size of the result are subtracted, so that this is what
a call needs beside both.
"""

MEMORY_BY_SIZE = """\
gfwx by the size of the picture, and with all threads, each of which has a band of the picture and
lanes of its own: a fixed amount, which matters for small pictures. Every process makes its first
call, whose memory nothing was kept for.
"""

SMALL = """\
Medians of many calls. gfwx with `threads=1` except where said.
"""

REFERENCE = """\
How many times as fast gfwx is as Graham Fyffe's C++ (see `bench/README.md` for how it was
compiled), on {picture}: both in turn on one core, the median ratio of the pairs, the least and the
greatest in parentheses. The files were of the same size in each case.
"""


def write(results: Results, folder: Path) -> None:
    """Draw the plots and write the page.

    Parameters
    ----------
    results : Results
        What was measured; suites that are missing are left out.
    folder : Path
        Where to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots.every_plot(results, totals.kinds(results), folder)
    parts = [INTRODUCTION.format(**results.facts)]
    if results.facts["note"]:
        parts.append(f"**{results.facts['note']}**")
    parts += ["## Pictures", tables.pictures(results)]
    parts += lossless(results, drawn) + sizes(results) + lossy(results, drawn)
    parts += scaling(results, drawn)
    if results.rows("small_images"):
        parts += ["## Small pictures", SMALL, tables.small_images(results)]
    if rows := results.rows("reference"):
        parts += ["## Beside the reference", REFERENCE.format(**rows[0])]
        parts.append(tables.reference(results))
    (folder / "index.md").write_text("\n\n".join(part.strip() for part in parts) + "\n")


def image(alternative: str, name: str) -> str:
    return f"![{alternative}]({name})"


def lossless(results: Results, drawn: dict[str, str]) -> list[str]:
    kinds = totals.kinds(results)
    if not kinds:
        return []
    parts = ["## Lossless", LOSSLESS, THREADS]
    if any(kind.startswith("bayer") for kind in kinds):
        parts.append(BAYER)
    for kind in kinds:
        names = tables.picture_of(results.rows("lossless", kind=kind))
        parts += [f"### {samples.KINDS[kind]}", f"Pictures: {names}."]
        parts.append(image(f"{kind}: size against speed", drawn[f"lossless {kind}"]))
        parts += [tables.lossless(results, kind), tables.who_beats_whom(results, kind)]
        if ", " in names:
            parts.append("Each picture: size, and MB/s encoding / decoding on one thread.")
            parts.append(tables.each_picture(results, kind))
    return parts


def sizes(results: Results) -> list[str]:
    rows = results.rows("sizes")
    if not rows:
        return []
    parts = ["## Sizes of every encoder and transform", CONDITIONS, checks.conditions(results)]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        parts += [f"### {samples.KINDS[kind]}", checks.sizes(results, kind)]
    return parts


def lossy(results: Results, drawn: dict[str, str]) -> list[str]:
    rows = results.rows("rate_distortion")
    if not rows:
        return []
    parts = ["## Lossy", LOSSY]
    for picture in dict.fromkeys(row["picture"] for row in rows):
        plot = drawn[f"rate-distortion {picture}"]
        parts += [image(f"{picture}: quality against size", plot)]
        parts.append(checks.equal_bytes(results, picture))
    return [*parts, tables.rate_distortion_options(results)]


def scaling(results: Results, drawn: dict[str, str]) -> list[str]:
    parts = []
    if rows := results.rows("megapixels"):
        sizes = sorted({row["pixels"] >> 20 for row in rows if row["tiled"]})
        said = ", ".join(map(str, sizes))
        tiled = f"tiled with itself for {said} megapixels" if sizes else "never tiled here"
        parts += ["## Scaling", SCALING.format(tiled=tiled)]
        parts += [image("cost of a pixel", drawn["megapixels"]), tables.megapixels(results)]
    if results.rows("threads"):
        parts.append(BESIDE_PROCESSES)
        parts += [image("threads and processes", drawn["threads"]), tables.threads(results)]
    if results.rows("memory"):
        parts += ["## Memory", MEMORY, image("memory of codecs", drawn["memory"])]
    if results.rows("memory_by_size"):
        parts.append(MEMORY_BY_SIZE)
        parts.append(image("memory by size", drawn["memory_by_size"]))
        parts.append(tables.memory_by_size(results))
    return parts


if __name__ == "__main__":
    place = Path(sys.argv[1])
    write(Results.load(place / "results.json"), place)
