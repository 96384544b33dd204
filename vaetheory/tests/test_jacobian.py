"""Jacobian products against the dense Jacobian, for decoders of several kinds."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from decoders import Affine, Curved, convolutional
from torch import Tensor, nn

from vaetheory.arguments import Decoder
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.jacobian import Jacobian

LATENT = 3


class Square(torch.autograd.Function):
    """x^2, as a function of its own that knows nothing of vmap."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x * x

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * gradient

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * tangent


DECODERS: dict[str, Callable[[torch.Generator], nn.Module]] = {
    "vector": lambda g: Curved(LATENT, (7,), g),
    "image": lambda g: Curved(LATENT, (2, 3, 2), g),
    "narrow": lambda g: Curved(LATENT, (2,), g),
    "convolutional": lambda g: convolutional(LATENT, g),
}


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest, generator: torch.Generator) -> nn.Module:
    return DECODERS[request.param](generator)


@pytest.fixture
def z(generator: torch.Generator) -> Tensor:
    return torch.randn(4, LATENT, dtype=torch.float64, device=generator.device, generator=generator)


def dense_jacobian(decoder: Decoder, z: Tensor) -> Tensor:
    """By reverse mode, one sample and one element at a time."""
    rows = [torch.autograd.functional.jacobian(decoder, sample[None])[0, ..., 0, :] for sample in z]
    return torch.stack(rows)


@pytest.mark.parametrize("rows", [None, 1, 2, 5, 8])
def test_products(decoder: nn.Module, z: Tensor, rows: int | None) -> None:
    jacobian = Jacobian(decoder, z, rows=rows)
    expected = dense_jacobian(decoder, z)
    flat = expected.flatten(1, -2)
    torch.testing.assert_close(jacobian.output(), decoder(z))
    torch.testing.assert_close(jacobian.dense(), expected)
    torch.testing.assert_close(jacobian.gram(), flat.mT @ flat)
    v = torch.linspace(-1, 1, 4 * 5 * LATENT, dtype=z.dtype, device=z.device).reshape(4, 5, LATENT)
    push = jacobian.product(v)
    assert push.shape == (4, 5, *jacobian.output_shape)
    torch.testing.assert_close(push.flatten(2), v @ flat.mT)
    torch.testing.assert_close(jacobian.transposed_product(push), v @ flat.mT @ flat)


def test_where_vmap_fails(decoder: nn.Module, z: Tensor) -> None:
    def stubborn(point: Tensor) -> Tensor:
        return Square.apply(decoder(point))

    with pytest.raises(RuntimeError, match="does not have vmap support"):
        torch.func.vmap(stubborn)(z[None])
    expected = dense_jacobian(lambda point: decoder(point) ** 2, z)
    jacobian = Jacobian(stubborn, z)
    torch.testing.assert_close(jacobian.dense(), expected)
    flat = expected.flatten(1, -2)
    torch.testing.assert_close(jacobian.gram(), flat.mT @ flat)


def test_gradients(generator: torch.Generator, z: Tensor) -> None:
    decoder = Curved(LATENT, (4,), generator)
    z = z[:2].requires_grad_()
    v = torch.ones(2, 2, LATENT, dtype=z.dtype, device=z.device)
    u = torch.ones(2, 2, 4, dtype=z.dtype, device=z.device)

    def results(point: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        jacobian = Jacobian(decoder, point)
        return jacobian.product(v), jacobian.transposed_product(u), jacobian.gram()

    # The parameters are not arguments of the function, but gradcheck changes them in place.
    assert torch.autograd.gradcheck(results, (z, *decoder.parameters()))


def test_single_precision(generator: torch.Generator, z: Tensor) -> None:
    jacobian = Jacobian(Affine(LATENT, 5, generator), z.float())
    assert jacobian.dense().dtype == torch.float32


def test_decoder_without_batch_dimension(generator: torch.Generator, z: Tensor) -> None:
    affine = Affine(LATENT, 5, generator)
    cases: list[tuple[Callable[[Tensor], Tensor], str]] = [
        (lambda z: affine.weight @ z, "must take a batch of latents .* but raised RuntimeError"),
        (lambda z: affine(z).sum(1), r"outputs \(b, ...\) with a batch dimension"),
        (lambda z: affine(z).flatten(), "with a batch dimension"),
        (lambda z: affine(z) @ affine(z).mT, "an output of the same shape, but gave"),
    ]
    for decoder, message in cases:
        for latents in (z, z[:1], z[:2]):
            with pytest.raises(ArgumentError, match=message):
                Jacobian(decoder, latents)


def test_bad_arguments(generator: torch.Generator, z: Tensor) -> None:
    decoder = Affine(LATENT, 5, generator)
    with pytest.raises(ArgumentError, match=r"z must have shape \(b, d\), got \(3,\)"):
        Jacobian(decoder, z[0])
    with pytest.raises(ArgumentError, match="z must be finite, but contains NaN"):
        Jacobian(decoder, z * torch.nan)
    with pytest.raises(ArgumentTypeError, match=r"z must be a torch.Tensor, got list"):
        Jacobian(decoder, [[1.0]])  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="decoder must be callable"):
        Jacobian(None, z)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="decoder must return one tensor, got tuple"):
        Jacobian(lambda z: (z, z), z)  # type: ignore[arg-type, return-value]
    with pytest.raises(ArgumentTypeError, match="decoder's output must have the dtype of z"):
        Jacobian(lambda z: decoder(z).float(), z)
    with pytest.raises(ArgumentError, match="rows must be at least 1"):
        Jacobian(decoder, z, rows=0)
    jacobian = Jacobian(decoder, z)
    with pytest.raises(ArgumentError, match=r"vectors must have shape \(4, k, 3\)"):
        jacobian.product(z)
    with pytest.raises(ArgumentError, match=r"vectors must have shape \(4, k, 5\)"):
        jacobian.transposed_product(z[:, None])
    with pytest.raises(ArgumentTypeError, match="vectors must have the dtype of z"):
        jacobian.product(z[:, None].float())
