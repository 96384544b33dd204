"""The command ``vaetheory`` and what its parts have in common."""

from __future__ import annotations

import sys

try:
    import click
    import matplotlib  # noqa: F401
    import numpy  # noqa: F401
    import rich  # noqa: F401
    import safetensors  # noqa: F401
    import sklearn  # noqa: F401
except ModuleNotFoundError as error:  # pragma: no cover - depends on the environment
    sys.exit(f"vaetheory: {error.name} is missing; pip install 'vaetheory[cli]' brings it")

from vaetheory import __version__
from vaetheory.cli.evaluate import evaluate_command
from vaetheory.cli.reproduce import reproduce_command
from vaetheory.cli.train import train_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vaetheory")
def main() -> None:
    """Train variational auto-encoders, and find out what their evidence is."""


main.add_command(train_command)
main.add_command(evaluate_command)
main.add_command(reproduce_command)
