"""Sizes that gfwx should undercut, checked; and quality at equal bytes."""

from __future__ import annotations

import numpy as np
from results import Results, Row
from tables import table

RGB8_RIVALS = ("HTJ2K", "QOI", "PNG", "LERC", "JPEG-LS", "WebP fastest")
BAYER_RIVALS = ("HTJ2K", "JPEG-LS", "JPEG XL e1")
BITS_PER_PIXEL = (0.25, 0.5, 1.0, 2.0, 4.0)


def sizes(results: Results, kind: str) -> str:
    """Sizes in % of raw of every encoder and transform and of the others, for each picture."""
    rows = results.rows("sizes", kind=kind)
    names = list(dict.fromkeys(row["picture"] for row in rows))
    own = {name: automatic(results, kind, name)["size"] for name in names}
    percents = {(_name(row), row["picture"]): row for row in rows}
    made = []
    for codec in dict.fromkeys(_name(row) for row in rows):
        cells = []
        for name in names:
            row = percents[codec, name]
            text = f"{100 * row['size'] / row['raw_bytes']:.2f}"
            cells.append(f"**{text}**" if row["size"] < own[name] else text)
        made.append([codec, *cells])
    return table(["% of raw; bold if smaller than auto", *names], made)


def conditions(results: Results) -> str:
    """Tell for each rival whether gfwx by itself (all options "auto") is smaller everywhere.

    Photographs in 8 bits are apart that were strongly compressed JPEG files: what JPEG leaves out
    before is a gift to codecs that look for exact repetitions.
    """
    made = []
    for kind, strongly_compressed, rivals in (
        ("rgb8", False, RGB8_RIVALS),
        ("rgb8", True, RGB8_RIVALS),
        ("bayer8", None, BAYER_RIVALS),
        ("bayer12", None, BAYER_RIVALS),
        ("bayer12-half", None, BAYER_RIVALS),
    ):
        rows = [row for row in results.rows("sizes", kind=kind) if row["codec"] != "gfwx"]
        if strongly_compressed is not None:
            rows = [row for row in rows if row["strongly_compressed"] == strongly_compressed]
        name = f"{kind} of strongly compressed JPEG files" if strongly_compressed else kind
        for rival in rivals:
            against = [row for row in rows if row["codec"].split(",")[0] == rival]
            lost = []
            for row in against:
                own = automatic(results, kind, row["picture"])["size"]
                if own >= row["size"]:
                    excess = 100 * (own / row["size"] - 1)
                    form = row["codec"].partition(", ")[2]
                    lost.append(f"{row['picture']}{' ' + form if form else ''} (+{excess:.1f} %)")
            if against:
                made.append([f"{name}: {rival}", "no" if lost else "yes", ", ".join(lost)])
    return table(
        ["gfwx auto smaller than", "everywhere", "where it is larger"], made, figures=False
    )


def automatic(results: Results, kind: str, picture: str) -> Row:
    """Return the row of gfwx with encoder and transform chosen by itself."""
    wanted = {"codec": "gfwx", "encoder": "auto", "transform": "auto"}
    (row,) = results.rows("sizes", kind=kind, picture=picture, **wanted)
    return row


def equal_bytes(results: Results, picture: str) -> str:
    """PSNR and MS-SSIM at the same sizes, between the settings tried."""
    rows = results.rows("rate_distortion", picture=picture)
    made = []
    for codec in dict.fromkeys(row["codec"] for row in rows):
        own = sorted(
            (row for row in rows if row["codec"] == codec), key=lambda row: row["bits_per_pixel"]
        )
        rates = np.log([row["bits_per_pixel"] for row in own])
        cells = []
        for bits in BITS_PER_PIXEL:
            if rates[0] <= np.log(bits) <= rates[-1]:
                psnr = np.interp(np.log(bits), rates, [row["psnr"] for row in own])
                similarity = np.interp(np.log(bits), rates, [row["ms_ssim"] for row in own])
                cells.append(f"{psnr:.2f} / {similarity:.4f}")
            else:
                cells.append("-")
        made.append([f"**{codec}**" if codec.startswith("gfwx") else codec, *cells])
    return table([f"{picture}: PSNR / MS-SSIM at bits a pixel", *map(str, BITS_PER_PIXEL)], made)


def _name(row: Row) -> str:
    if row["codec"] != "gfwx":
        return str(row["codec"])
    return f"gfwx {row['encoder']}, transform {row['transform']}"
