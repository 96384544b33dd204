"""The tables of the report, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from results import Results, Row
from totals import Total, totals


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], figures: bool = True) -> str:
    """Return a table whose first column is of text, and the others of figures or of text too."""
    others = " ---: |" if figures else " --- |"
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + others * (len(heads) - 1)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def pictures(results: Results) -> str:
    rows = [
        (
            picture["name"] + (f" ({picture['note']})" if picture["note"] else ""),
            " x ".join(map(str, picture["size"])),
            f"{picture['megapixels']:.1f}",
            picture["author"],
            picture["licence"],
            picture["origin"],
            f"{picture['file_bits']:.2f}" if picture["file_bits"] else "",
            f"`{picture['sha256'][:16]}`" if picture["sha256"] else "",
        )
        for picture in results.facts["pictures"]
    ]
    heads = ("picture", "pixels", "MP", "author", "licence", "origin", "bits a pixel in its file",
             "SHA-256")  # fmt: skip
    return table(heads, rows, figures=False)


def lossless(results: Results, kind: str) -> str:
    """Sizes, and speeds on one thread and on all."""
    cores = results.facts["cores"]
    everything = {total.codec: total for total in totals(results, kind, cores)} if cores > 1 else {}
    several = picture_of(results.rows("lossless", kind=kind, threads=cores)) if everything else ""
    rows = []
    for total in totals(results, kind, 1):
        name = f"**{total.codec}**" if total.is_gfwx else total.codec
        row = [name, f"{total.percent:.2f}", f"{total.encode:.0f}", f"{total.decode:.0f}"]
        if everything:
            many = everything.get(total.codec)
            row += [f"{many.encode:.0f}", f"{many.decode:.0f}"] if many else ["-", "-"]
        rows.append([*row, total.rounds])
    heads = ["codec", "% of raw", "encode MB/s", "decode MB/s"]
    if everything:
        heads += [f"{cores} threads ({several}): encode", "decode"]
    return table([*heads, "rounds"], rows)


def picture_of(rows: list[Row]) -> str:
    return ", ".join(dict.fromkeys(row["picture"] for row in rows))


def each_picture(results: Results, kind: str) -> str:
    """Sizes and speeds on one thread for each picture, beside each other."""
    names = list(dict.fromkeys(row["picture"] for row in results.rows("lossless", kind=kind)))
    columns = {name: {t.codec: t for t in totals(results, kind, 1, name)} for name in names}
    rows = [
        [codec.codec]
        + [
            f"{t.percent:.2f} %, {t.encode:.0f} / {t.decode:.0f}"
            for t in (columns[name][codec.codec] for name in names)
        ]
        for codec in totals(results, kind, 1)
    ]
    return table(["codec", *names], rows)


def who_beats_whom(results: Results, kind: str) -> str:
    """Which peers are smaller and faster at once than gfwx, and the other way around."""
    made = totals(results, kind, 1)
    peers = [total for total in made if not total.is_gfwx]
    rows = []
    for own in (total for total in made if total.is_gfwx):
        better = {
            direction: [peer for peer in peers if peer.beats(own, direction)]
            for direction in ("encode", "decode")
        }
        worse = [peer for peer in peers if own.beats(peer, "encode") and own.beats(peer, "decode")]
        rows.append(
            [
                own.codec,
                *(margins(own, better[direction], direction) for direction in better),
                "; ".join(peer.codec for peer in worse) or "none",
            ]
        )
    return table(
        [
            "",
            "peers smaller and faster to encode",
            "peers smaller and faster to decode",
            "peers larger, slower to encode and slower to decode",
        ],
        rows,
        figures=False,
    )


def margins(own: Total, peers: list[Total], direction: str) -> str:
    """Name peers with how much smaller and how many times as fast they are."""
    return (
        "; ".join(
            f"{peer.codec} ({100 * (peer.percent / own.percent - 1):+.1f} %,"
            f" {peer.speed(direction) / own.speed(direction):.2f} x)"
            for peer in peers
        )
        or "none"
    )


def small_images(results: Results) -> str:
    """Microseconds of a call."""
    rows = results.rows("small_images")
    sides = list(dict.fromkeys(row["side"] for row in rows))
    times = {(row["codec"], row["side"], row["direction"]): row["median"] for row in rows}
    made = [
        [f"**{codec}**" if codec.startswith("gfwx") else codec]
        + [
            f"{1e6 * times[codec, side, 'encode']:.0f} / {1e6 * times[codec, side, 'decode']:.0f}"
            for side in sides
        ]
        for codec in dict.fromkeys(row["codec"] for row in rows)
    ]
    return table(["encode / decode, microseconds", *(f"{s} x {s}" for s in sides)], made)


def megapixels(results: Results) -> str:
    """Nanoseconds for each pixel on one thread, and how far the sizes are apart."""
    rows = results.rows("megapixels", threads=1)
    sizes = sorted({row["pixels"] for row in rows})
    costs = {
        (row["encoder"], row["direction"], row["pixels"]): 1e9 * row["min"] / row["pixels"]
        for row in rows
    }
    made = []
    for case in dict.fromkeys(key[:2] for key in costs):
        own = [costs[*case, size] for size in sizes]
        apart = max(own) / min(own) - 1
        made.append([", ".join(case), *(f"{cost:.2f}" for cost in own), f"{apart:.0%}"])
    heads = [f"{round(size / 2**20)} MP" for size in sizes]
    return table(["ns for each pixel, one thread", *heads, "apart"], made)


def threads(results: Results) -> str:
    """Megapixels a second, all together, and beside one thread and so many processes."""
    rows = [
        [f"{row['encoder']}, {row['megapixels']} MP, {row['count']} {row['way']}"]
        + [
            text
            for direction in ("encode", "decode")
            for text in (
                f"{row[f'{direction}_pixels_a_second'] / 1e6:.0f}",
                f"{row[f'{direction}_beside_one']:.2f}",
                f"{row[f'{direction}_beside_processes']:.0%}",
            )
        ]
        for row in results.rows("threads")
    ]
    heads = ["MP/s", "times one thread", "of so many processes"]
    return table(["", *(f"{side} {head}" for side in ("encode", "decode") for head in heads)], rows)


def memory_by_size(results: Results) -> str:
    """Bytes for each sample that gfwx needs, by the size of the picture."""
    rows = results.rows("memory_by_size")
    sizes = list(dict.fromkeys(row["megapixels"] for row in rows))
    made: dict[str, list[str]] = {}
    for row in rows:
        name = (
            f"{row['encoder']}, {row['kind']}, {row['threads']} thread{'s' * (row['threads'] > 1)}"
        )
        both = f"{row['encode_bytes_a_sample']:.2f} / {row['decode_bytes_a_sample']:.2f}"
        made.setdefault(name, [name]).append(both)
    heads = ["encode / decode, bytes for each sample", *(f"{size} MP" for size in sizes)]
    return table(heads, list(made.values()))


def rate_distortion_options(results: Results) -> str:
    """Settings of the lossy codecs, and the speed of each."""
    made = []
    rows = results.rows("rate_distortion")
    for codec in dict.fromkeys(row["codec"] for row in rows):
        own = [row for row in rows if row["codec"] == codec]
        pixels = sum(row["shape"][0] * row["shape"][1] for row in own)
        values = [
            row["setting"].split("=")[1] for row in own if row["picture"] == own[0]["picture"]
        ]
        made.append(
            [
                codec,
                own[0]["options"].replace("|", "\\|"),
                f"{own[0]['setting'].split('=')[0]} = {', '.join(values)}",
                f"{pixels / 1e6 / sum(row['encode_seconds'] for row in own):.0f}",
                f"{pixels / 1e6 / sum(row['decode_seconds'] for row in own):.0f}",
            ]
        )
    return table(
        ["codec", "options", "setting varied", "encode MP/s", "decode MP/s"], made, figures=False
    )


def reference(results: Results) -> str:
    """How many times as fast as the reference; the least and greatest of the pairs beside it."""
    rows = results.rows("reference")
    sets = list(dict.fromkeys(row["instruction_set"] for row in rows))
    cells = {(r["comparison"], r["instruction_set"], r["direction"]): r for r in rows}

    def cell(row: Row) -> str:
        return f"{row['ratio']:.2f} ({row['lowest']:.2f}-{row['highest']:.2f})"

    made = [
        [comparison]
        + [
            cell(cells[comparison, name, direction])
            for direction in ("encode", "decode")
            for name in sets
        ]
        for comparison in dict.fromkeys(row["comparison"] for row in rows)
    ]
    heads = [f"{direction}, {name}" for direction in ("encode", "decode") for name in sets]
    return table(["times as fast", *heads], made)
