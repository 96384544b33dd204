"""``gfwx info``."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from gfwx.cli import options
from gfwx.cli.encode import SUFFIX
from gfwx.cli.errors import EXPECTED, describe
from gfwx.cli.sources import Source, find_sources
from gfwx.files import read_metadata
from gfwx.structure import Structure, read_structure


@click.command("info", short_help="Header, metadata and levels of files.")
@options.inputs
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each file.")
def info_command(inputs: tuple[str, ...], as_json: bool) -> None:
    """Show what GFWX files say of themselves, without decoding them.

    That is the header, the metadata, and where each level of detail begins and ends: so many bytes
    of the file make a picture of its size.
    """
    sources, failures = find_sources(inputs, (SUFFIX,))
    for source in sources:
        try:
            found = describe_file(source)
        except EXPECTED as error:
            failures.append(describe(error, source.name))
            continue
        if as_json:
            click.echo(json.dumps(found))
        else:
            show(found)
    for line in failures:
        click.echo(f"Error: {line}", err=True)
    if failures:
        raise click.exceptions.Exit(1)


def describe_file(source: Source) -> dict[str, Any]:
    """Find out what a file says of itself; raises GfwxError and OSError."""
    data = source.contents()
    found = read_structure(data)
    header, size = found.header, len(data)
    known = read_metadata(header)
    samples = header.width * header.height * header.planes
    return {
        "file": source.name,
        "bytes": size,
        "complete": found.is_complete,
        "width": header.width,
        "height": header.height,
        "channels": header.channels,
        "layers": header.layers,
        "dtype": str(header.dtype),
        "bit_depth": header.bit_depth,
        "intent": str(header.intent),
        "quality": header.quality,
        "chroma_scale": header.chroma_scale,
        "lossless": header.is_lossless,
        "encoder": str(header.encoder),
        "filter": str(header.filter),
        "vertical_levels": header.vertical_levels,
        "block_size": header.block_size,
        "transform": found.transform,
        "bits_per_sample": round(8 * size / samples, 4),
        "bits_per_pixel": round(8 * size * header.planes / samples, 4),
        "metadata": {
            "bytes": len(header.metadata),
            "exif": len(known.exif),
            "icc": len(known.icc),
            "xmp": len(known.xmp),
            "values": dict(known.values),
            "checksum": None if known.checksum is None else f"{known.checksum:08x}",
        },
        "levels": _levels(found),
    }


def _levels(found: Structure) -> list[dict[str, int]]:
    rows = []
    begin = 0
    for level in found.levels:
        row = {
            "downsampling": level.downsampling,
            "width": level.width,
            "height": level.height,
            "begin": begin,
            "end": level.end,
        }
        rows.append(row)
        begin = level.end
    return rows


def show(found: dict[str, Any]) -> None:
    """Print what is known of a file as tables."""
    console = Console()
    table = Table(title=found["file"], show_header=False, title_justify="left")
    for name, value in found.items():
        if name in ("file", "levels") or value is None:
            continue
        if name == "metadata":
            value = ", ".join(f"{key} {part}" for key, part in value.items() if part) or "none"
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        table.add_row(name.replace("_", " "), str(value))
    console.print(table)
    levels = Table(title="Levels of detail: so many bytes make so large a picture")
    for name in ("downsampling", "picture", "from byte", "to byte", "bytes"):
        levels.add_column(name, justify="right")
    for row in found["levels"]:
        picture = f"{row['width']} x {row['height']}"
        numbers = (row["begin"], row["end"], row["end"] - row["begin"])
        levels.add_row(str(row["downsampling"]), picture, *map(str, numbers))
    console.print(levels)
