"""Everything that vaetheory raises or warns of on purpose."""

from __future__ import annotations


class VaetheoryError(Exception):
    """Base class of the errors of vaetheory."""


class ArgumentError(VaetheoryError, ValueError):
    """An argument of the caller cannot be used."""


class ArgumentTypeError(VaetheoryError, TypeError):
    """An argument of the caller has the wrong type, a tensor the wrong dtype or device included."""


class ConvergenceWarning(UserWarning):
    """An iteration ended before its tolerance was reached; the result tells how far it got."""
