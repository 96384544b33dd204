"""Checks of what callers give: types, shapes, dtypes, devices, values. Errors name the argument."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from vaetheory.errors import ArgumentError, ArgumentTypeError, VaetheoryError

Decoder = Callable[[Tensor], Tensor]
"""A map from latents (b, d) to outputs (b, *t) that treats each sample of the batch by itself."""


def check_tensor(name: str, value: object) -> None:
    """Refuse what is not a tensor of float32 or float64."""
    if not isinstance(value, Tensor):
        raise ArgumentTypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")
    if value.dtype not in (torch.float32, torch.float64):
        raise ArgumentTypeError(f"{name} must have dtype float32 or float64, got {value.dtype}")


def check_shape(name: str, tensor: Tensor, shape: Sequence[int | str]) -> None:
    """Refuse a tensor of another shape; words in `shape` stand for any size of at least 1."""
    wanted = ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "")
    fits = tensor.ndim == len(shape) and all(
        size >= 1 if isinstance(expected, str) else size == expected
        for size, expected in zip(tensor.shape, shape, strict=True)
    )
    if not fits:
        raise ArgumentError(f"{name} must have shape ({wanted}), got {tuple(tensor.shape)}")


def check_finite(name: str, tensor: Tensor) -> None:
    """Refuse NaN and infinity."""
    if not bool(torch.isfinite(tensor).all()):
        kind = "NaN" if bool(torch.isnan(tensor).any()) else "infinite values"
        raise ArgumentError(f"{name} must be finite, but contains {kind}")


def check_positive(name: str, tensor: Tensor) -> None:
    """Refuse values that are not finite and above zero."""
    check_finite(name, tensor)
    if not bool((tensor > 0).all()):
        raise ArgumentError(f"{name} must be positive, got a smallest value of {tensor.min():g}")


def check_alike(name: str, tensor: Tensor, other_name: str, other: Tensor) -> None:
    """Refuse a tensor whose dtype or device is not that of the other."""
    if tensor.dtype != other.dtype:
        raise ArgumentTypeError(
            f"{name} must have the dtype of {other_name}, {other.dtype}, got {tensor.dtype}"
        )
    check_same_device(name, tensor, other_name, other)


def check_same_device(name: str, tensor: Tensor, other_name: str, other: Tensor) -> None:
    """Refuse a tensor that lies on another device."""
    if tensor.device != other.device:
        raise ArgumentTypeError(
            f"{name} must be on the device of {other_name}, {other.device}, got {tensor.device}"
        )


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse a word that is not among the choices."""
    if not (isinstance(value, str) and value in choices):
        known = ", ".join(repr(choice) for choice in choices)
        raise ArgumentError(f"{name} must be one of {known}, got {value!r}")


def check_count(name: str, value: object, minimum: int = 1) -> None:
    """Refuse what is not a whole number of at least the minimum."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentTypeError(f"{name} must be an int, got {type(value).__name__}")
    if value < minimum:
        raise ArgumentError(f"{name} must be at least {minimum}, got {value}")


def check_number(
    name: str, value: object, low: float, high: float = math.inf, *, may_be_low: bool = False
) -> None:
    """Refuse what is not a number above `low`, or equal to it if that is allowed, below `high`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ArgumentTypeError(f"{name} must be a number, got {type(value).__name__}")
    if not (low < value < high or (may_be_low and value == low)):
        above = "positive" if low == 0 else f"above {low:g}"
        least = f"at least {low:g}" if may_be_low else above
        most = "finite" if high == math.inf else f"below {high:g}"
        raise ArgumentError(f"{name} must be {least} and {most}, got {value}")


def check_latent(name: str, z: object) -> None:
    """Refuse what is not a finite tensor of latents (b, d)."""
    check_tensor(name, z)
    assert isinstance(z, Tensor)
    check_shape(name, z, ("b", "d"))
    check_finite(name, z)


def check_symmetric(name: str, matrix: Tensor) -> None:
    """Refuse matrices (b, n, n) that differ from their transposes by more than rounding."""
    check_tensor(name, matrix)
    if matrix.ndim != 3 or matrix.shape[1] != matrix.shape[2] or matrix.numel() == 0:
        raise ArgumentError(f"{name} must have shape (b, n, n), got {tuple(matrix.shape)}")
    check_finite(name, matrix)
    asymmetry = (matrix - matrix.mT).abs().amax((1, 2))
    scale = matrix.abs().amax((1, 2))
    if bool((asymmetry > 1e3 * torch.finfo(matrix.dtype).eps * scale).any()):
        raise ArgumentError(
            f"{name} must be symmetric, but differs from its transpose by up to {asymmetry.max():g}"
        )


def cholesky(name: str, matrix: Tensor) -> Tensor:
    """Lower Cholesky factors (b, n, n) of matrices that must be positive definite.

    Raises
    ------
    ArgumentError
        If one is not, with the position in the batch of the first that is not.
    """
    factor: Tensor
    factor, info = torch.linalg.cholesky_ex(matrix)
    if bool((info != 0).any()):
        first = int((info != 0).nonzero()[0, 0])
        raise ArgumentError(
            f"{name} must be positive definite, but matrix {first} of the batch is not"
        )
    return factor


@contextmanager
def differentiating() -> Iterator[None]:
    """Name the decoder in errors of derivatives: it is the caller's code that fails in them.

    Raises
    ------
    ArgumentError
        In place of what torch raises where a decoder or a likelihood leaves it, as for NumPy.
    """
    try:
        yield
    except (VaetheoryError, torch.OutOfMemoryError):
        raise
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        raise ArgumentError(
            "decoder and likelihood must be made of operations that torch.func differentiates, but "
            f"raised {type(error).__name__}: {error}"
        ) from error


def decode(decoder: Decoder, z: Tensor) -> Tensor:
    """Return the decoder's outputs (b, *t) for latents (b, d), in one call.

    Raises
    ------
    ArgumentError
        If the decoder fails on a batch, or its output does not begin with the batch dimension or is
        not finite.
    ArgumentTypeError
        If it is not callable, or its output is not a tensor with the dtype and device of z.
    """
    if not callable(decoder):
        raise ArgumentTypeError(f"decoder must be callable, got {type(decoder).__name__}")
    try:
        output = decoder(z)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        raise ArgumentError(
            f"decoder must take a batch of latents (b, d), but raised {type(error).__name__} for "
            f"{tuple(z.shape)}: {error}"
        ) from error
    if not isinstance(output, Tensor):
        raise ArgumentTypeError(
            f"decoder must return one tensor, got {type(output).__name__}; wrap it in a function "
            "that picks the output"
        )
    check_alike("decoder's output", output, "z", z)
    if output.ndim < 2 or output.shape[0] != z.shape[0]:
        raise ArgumentError(
            "decoder must map latents (b, d) to outputs (b, ...) with a batch dimension, but "
            f"mapped {tuple(z.shape)} to {tuple(output.shape)}"
        )
    check_finite("decoder's output", output)
    return output


def decoder_output_shape(decoder: Decoder, z: Tensor) -> torch.Size:
    """Shape (*t) of one output, found by running the decoder on batches of two and of three.

    Two sizes tell a batch dimension from another that happens to have the batch's length. The
    first latent is the same in both, the others differ: they tell whether each is mapped by itself.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        As `decode`, or if the shape depends on the size of the batch, or the first output on chance
        or on the other latents, as with dropout and batch normalisation in training mode.
    """
    shapes, firsts = [], []
    for factors in ((1.0, 1.0), (1.0, 0.5, 0.25)):
        with torch.no_grad():
            output = decode(decoder, z[:1].detach() * z.new_tensor(factors)[:, None])
        shapes.append(output.shape[1:])
        firsts.append(output[0])
    if shapes[0] != shapes[1]:
        raise ArgumentError(
            "decoder must map each latent to an output of the same shape, but gave "
            f"{tuple(shapes[0])} in a batch of 2 and {tuple(shapes[1])} in a batch of 3"
        )
    difference, size = (firsts[0] - firsts[1]).abs().max(), firsts[0].abs().max()
    if bool(difference > torch.finfo(z.dtype).eps ** 0.5 * size):
        raise ArgumentError(
            "decoder must map each latent by itself and without chance, but mapped one and the "
            f"same latent to outputs that differ by {difference:.2g}; put dropout and batch "
            "normalisation in evaluation mode"
        )
    return shapes[0]
