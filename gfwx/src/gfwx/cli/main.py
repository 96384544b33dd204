"""The command ``gfwx`` and what its parts have in common."""

from __future__ import annotations

import sys

try:
    import click
    import imagecodecs  # noqa: F401
    import PIL  # noqa: F401
    import rich  # noqa: F401
    import tifffile  # noqa: F401
except ModuleNotFoundError as error:  # pragma: no cover - depends on the environment
    sys.exit(f"gfwx: {error.name} is missing; pip install 'gfwx[cli]' brings it")

from gfwx import __version__
from gfwx.cli.compare import compare_command
from gfwx.cli.decode import decode_command
from gfwx.cli.encode import encode_command
from gfwx.cli.info import info_command
from gfwx.cli.thumbnail import thumbnail_command
from gfwx.cli.truncate import truncate_command
from gfwx.cli.verify import verify_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gfwx")
def main() -> None:
    """Compress pictures with GFWX, without loss or with little, and bring them back.

    \b
    Example: a folder of pictures, there and back.
        gfwx encode photos -o compressed
        gfwx decode compressed -o restored

    Exit codes: 0 all is well, 1 some files failed (the others are done), 2 the command cannot be
    carried out as it is.
    """  # noqa: D301


for command in (
    encode_command,
    decode_command,
    info_command,
    verify_command,
    thumbnail_command,
    truncate_command,
    compare_command,
):
    main.add_command(command)
