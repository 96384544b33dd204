"""Decoders that several tests share."""

import torch
from torch import Tensor, nn


class Affine(nn.Module):
    """W z + b with random entries; (m, d) and (m,) are at hand for closed forms."""

    def __init__(self, latent: int, data: int, generator: torch.Generator) -> None:
        super().__init__()
        options = {"dtype": torch.float64, "device": generator.device, "generator": generator}
        self.weight = torch.randn(data, latent, **options)
        self.bias = torch.randn(data, **options)

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
        options = {"dtype": torch.float64, "device": generator.device, "generator": generator}
        self.first = nn.Parameter(torch.randn(8, latent, **options))
        self.second = nn.Parameter(torch.randn(size, 8, **options) / 2)

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
