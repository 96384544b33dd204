"""``python -m vaetheory`` is the command line."""

from vaetheory.cli.main import main

main(prog_name="vaetheory")
