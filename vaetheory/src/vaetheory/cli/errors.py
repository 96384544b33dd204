"""Errors as the command line shows them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import click

from vaetheory.errors import VaetheoryError


@contextmanager
def shown_briefly() -> Iterator[None]:
    """Show errors and warnings of vaetheory as one line, without where in the code they arose."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        click.echo(f"Warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        try:
            yield
        except VaetheoryError as error:
            raise click.ClickException(str(error)) from error
