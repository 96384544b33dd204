"""The plots of the report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
import samples
from labels import label
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter
from results import Results
from totals import ENCODERS, Total, frontier, totals

# Colors of Okabe and Ito, which can be told apart by the color-blind.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, BLACK = "#56B4E9", "#CC79A7", "#000000"
STYLE: Final[dict[Any, Any]] = {
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.9",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "savefig.dpi": 120,
    "figure.dpi": 120,
}
mpl.use("Agg")
mpl.rcParams.update(STYLE)


def save(figure: Any, file: Path) -> str:
    """Write a plot, and return its name."""
    figure.savefig(file, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    return file.name


def plain_log(axis: Any) -> None:
    """Label a logarithmic axis with plain numbers at 1, 2 and 5."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def lossless(results: Results, kind: str, folder: Path) -> str:
    """Size against speed, encoding and decoding, with the frontier of what none beats."""
    figure, both = plt.subplots(1, 2, figsize=(13, 6.4), sharey=True, layout="constrained")
    # "auto" is one of the encoders drawn.
    made = [total for total in totals(results, kind, 1) if total.codec != "gfwx auto"]
    for axes, direction in zip(both, ("encode", "decode"), strict=True):
        _size_and_speed(axes, made, direction)
    both[0].set_ylabel("size, % of raw (lower is smaller)")
    figure.suptitle(f"{samples.KINDS[kind]}; lossless, one thread")
    both[1].legend(loc="upper left", fontsize=10.5)
    for axes, direction in zip(both, ("encode", "decode"), strict=True):
        _label_totals(axes, made, direction)
    return save(figure, folder / f"lossless-{kind}.png")


def _size_and_speed(axes: Axes, made: list[Total], direction: str) -> None:
    axes.set_xscale("log")
    best = frontier(made, direction)
    # The corners of the frontier: what is no better than a codec lies above and left of it.
    speeds = [total.speed(direction) for total in best]
    sizes = [total.percent for total in best]
    axes.step(
        speeds,
        sizes,
        where="pre",
        color="0.6",
        linestyle="--",
        linewidth=1.3,
        zorder=1,
        label="frontier: nothing is smaller and faster",
    )
    for total in made:
        marker = "D" if total.codec.endswith("split") else "s"
        axes.plot(
            total.speed(direction),
            total.percent,
            "o" if total.is_gfwx else marker,
            color=BLUE if total.is_gfwx else RED,
            markersize=10 if total.is_gfwx else 7,
            zorder=4,  # over the labels
        )
    axes.margins(0.12, 0.1)
    plain_log(axes.xaxis)
    axes.set_xlabel(f"{direction[:-1]}ing, MB/s of raw samples (right is faster)")


def _label_totals(axes: Axes, made: list[Total], direction: str) -> None:
    points = []
    for total in sorted(made, key=lambda total: not total.is_gfwx):
        weight = "bold" if total.is_gfwx else "normal"
        background = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
        properties: dict[str, Any] = {
            "color": BLUE if total.is_gfwx else "0.15",
            "weight": weight,
            "fontsize": 11,
        }
        properties["bbox"] = background
        points.append((total.speed(direction), total.percent, total.codec, properties))
    label(axes, points)


RATE_STYLES: Final = {
    "gfwx contextual, chroma 2": (BLUE, "o", "-"),
    "gfwx contextual, chroma 8": (SKY, "o", "-"),
    "gfwx fast, chroma 8": (SKY, ".", ":"),
    "JPEG 2000": (GREEN, "s", "--"),
    "HTJ2K": (ORANGE, "^", "--"),
    "JPEG XL e7": (PURPLE, "D", "-."),
    "JPEG XL e3": (BLACK, "v", "-."),
    "JPEG": (RED, "x", ":"),
}


def rate_distortion(results: Results, picture: str, folder: Path) -> str:
    """PSNR and MS-SSIM against bits for each pixel."""
    figure, both = plt.subplots(1, 2, figsize=(13, 5.6), layout="constrained")
    for axes, measure in zip(both, ("psnr", "ms_ssim"), strict=True):
        for codec, (color, marker, line) in RATE_STYLES.items():
            rows = results.rows("rate_distortion", picture=picture, codec=codec)
            rows.sort(key=lambda row: row["bits_per_pixel"])
            values = np.array([row[measure] for row in rows])
            if measure == "ms_ssim":
                values = -10 * np.log10(1 - values)
            rates = [row["bits_per_pixel"] for row in rows]
            axes.plot(rates, values, color=color, marker=marker, linestyle=line, label=codec)
        axes.set_xscale("log")
        plain_log(axes.xaxis)
        axes.set_xlabel("bits for each pixel")
    both[0].set_ylabel("PSNR over red, green and blue, dB")
    both[1].set_ylabel("MS-SSIM of luma, as $-10\\,\\log_{10}(1-x)$, dB")
    both[1].legend(fontsize=10.5)
    figure.suptitle(f"Lossy: {picture}, {_shape(results, picture)} cut from its center")
    return save(figure, folder / f"rate-distortion-{picture.lower().replace(' ', '-')}.png")


def _shape(results: Results, picture: str) -> str:
    height, width, _ = results.rows("rate_distortion", picture=picture)[0]["shape"]
    return f"{width} x {height}"


def megapixels(results: Results, folder: Path) -> str:
    """Cost of a pixel against the size of the picture."""
    titles = {
        "encode": "encoding",
        "decode": "decoding to a new array",
        "decode, out given": "decoding to an array given as out",
    }
    figure, three = plt.subplots(1, 3, figsize=(15, 5), sharey=True, layout="constrained")
    most = max(row["threads"] for row in results.rows("megapixels"))
    for axes, (direction, title) in zip(three, titles.items(), strict=True):
        for encoder, color in zip(ENCODERS, (BLUE, ORANGE, GREEN), strict=True):
            for threads in sorted({1, most}):
                rows = results.rows(
                    "megapixels", encoder=encoder, direction=direction, threads=threads
                )
                axes.plot(
                    [row["pixels"] / 2**20 for row in rows],
                    [1e9 * row["min"] / row["pixels"] for row in rows],
                    "-o" if threads == 1 else "--o",
                    color=color,
                    markerfacecolor=color if threads == 1 else "white",
                    label=f"{encoder}, {threads} thread{'s' if threads > 1 else ''}",
                )
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("megapixels ($2^{20}$)")
        axes.set_title(title)
        axes.set_ylim(bottom=0)
    three[0].set_ylabel("ns for each pixel (RGB8, lossless)")
    figure.legend(*three[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return save(figure, folder / "megapixels.png")


def threads(results: Results, folder: Path) -> str:
    """Speed against the number of threads, or of processes."""
    figure, both = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
    largest = max(row["megapixels"] for row in results.rows("threads"))
    for encoder, color in zip(ENCODERS, (BLUE, ORANGE, GREEN), strict=True):
        rows = results.rows("threads", encoder=encoder, megapixels=largest)
        for axes, direction in zip(both, ("encode", "decode"), strict=True):
            key = f"{direction}_pixels_a_second"
            one = [row for row in rows if row["count"] == 1]
            for way, style in (("threads", "-o"), ("processes", ":s")):
                own = one + [row for row in rows if row["way"] == way and row["count"] > 1]
                axes.plot(
                    [row["count"] for row in own],
                    [row[key] / 1e6 for row in own],
                    style,
                    color=color,
                    markerfacecolor=color if way == "threads" else "white",
                    label=f"{encoder}, {way}",
                )
    for axes, direction in zip(both, ("encoding", "decoding"), strict=True):
        axes.set_xlabel("threads of one process, or processes of one thread")
        axes.set_title(direction)
        axes.set_ylim(bottom=0)
        axes.set_xticks(sorted({row["count"] for row in results.rows("threads")}))
    both[0].set_ylabel(f"megapixels a second, all together ({largest} MP pictures)")
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return save(figure, folder / "threads.png")


def memory(results: Results, folder: Path) -> str:
    """Memory beside input and output, of each codec."""
    kinds = list(dict.fromkeys(row["kind"] for row in results.rows("memory")))
    figure, all_axes = plt.subplots(
        1, len(kinds), figsize=(13, 5.6), layout="constrained", squeeze=False
    )
    for axes, kind in zip(all_axes[0], kinds, strict=True):
        rows = results.rows("memory", kind=kind)[::-1]
        places = np.arange(len(rows))
        for shift, direction, color in ((0.2, "encode", BLUE), (-0.2, "decode", ORANGE)):
            values = [row[f"{direction}_bytes_a_sample"] for row in rows]
            bars = axes.barh(
                places + shift, values, 0.38, color=color, label=f"{direction[:-1]}ing"
            )
            axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=9)
        axes.set_yticks(places, [row["codec"] for row in rows])
        axes.set_xlabel("bytes for each sample, beside input and output")
        axes.set_title("RGB, 8 bits" if kind == "rgb8" else "RGB, 12 bits")
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.12)
    all_axes[0][0].legend(loc="best")
    return save(figure, folder / "memory.png")


def memory_by_size(results: Results, folder: Path) -> str:
    """Memory of gfwx beside input and output against the size of the picture."""
    rows = results.rows("memory_by_size")
    figure, both = plt.subplots(1, 2, figsize=(13, 5), sharey=True, layout="constrained")
    cases = list(dict.fromkeys((row["kind"], row["encoder"]) for row in rows))
    counts = sorted({row["threads"] for row in rows})
    for axes, direction in zip(both, ("encode", "decode"), strict=True):
        for (kind, encoder), color in zip(cases, (BLUE, ORANGE, GREEN, RED), strict=True):
            for threads in counts:
                own = results.rows("memory_by_size", kind=kind, encoder=encoder, threads=threads)
                axes.plot(
                    [row["megapixels"] for row in own],
                    [row[f"{direction}_bytes_a_sample"] for row in own],
                    "-o" if threads == 1 else "--o",
                    color=color,
                    markerfacecolor=color if threads == 1 else "white",
                    label=f"{encoder}, {kind}, {threads} thread{'s' if threads > 1 else ''}",
                )
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("megapixels ($2^{20}$)")
        axes.set_title(f"{direction[:-1]}ing")
        axes.set_ylim(bottom=0)
    both[0].set_ylabel("bytes for each sample, beside input and output")
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return save(figure, folder / "memory-by-size.png")


def every_plot(results: Results, kinds: Iterable[str], folder: Path) -> dict[str, str]:
    """Draw all plots for which there are figures; return their names."""
    made = {f"lossless {kind}": lossless(results, kind, folder) for kind in kinds}
    for picture in dict.fromkeys(row["picture"] for row in results.rows("rate_distortion")):
        made[f"rate-distortion {picture}"] = rate_distortion(results, picture, folder)
    drawings = (megapixels, threads, memory, memory_by_size)
    for name, draw in [(draw.__name__, draw) for draw in drawings]:
        if results.rows(name):
            made[name] = draw(results, folder)
    return made
