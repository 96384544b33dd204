"""Decoders that several tests share."""

import torch
from torch import Tensor, nn


def normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal numbers in float64, on the generator's device."""
    return torch.randn(shape, dtype=torch.float64, device=generator.device, generator=generator)


class Affine(nn.Module):
    """W z + b with random entries; (m, d) and (m,) are at hand for closed forms."""

    def __init__(self, latent: int, data: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = normal((data, latent), generator)
        self.bias = normal((data,), generator)

    def forward(self, z: Tensor) -> Tensor:
        return z @ self.weight.mT.to(z.dtype) + self.bias.to(z.dtype)


class Curved(nn.Module):
    """A small network with tanh, from d latents to outputs of any shape."""

    def __init__(
        self, latent: int, output_shape: tuple[int, ...], generator: torch.Generator
    ) -> None:
        super().__init__()
        self.output_shape = output_shape
        size = torch.Size(output_shape).numel()
        self.first = nn.Parameter(normal((8, latent), generator))
        self.second = nn.Parameter(normal((size, 8), generator) / 2)

    def forward(self, z: Tensor) -> Tensor:
        hidden = (z @ self.first.mT.to(z.dtype)).tanh()
        return (hidden @ self.second.mT.to(z.dtype)).unflatten(1, self.output_shape)


def convolutional(latent: int, generator: torch.Generator) -> nn.Module:
    """Transposed convolutions with batch normalisation to outputs (1, 8, 8), in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        decoder = nn.Sequential(
            nn.Linear(latent, 4 * 4),
            nn.Unflatten(1, (4, 2, 2)),
            nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1),
            nn.BatchNorm2d(3),
            nn.GELU(),
            nn.ConvTranspose2d(3, 1, 4, stride=2, padding=1),
        )
    return decoder.to(generator.device, torch.float64).eval()
