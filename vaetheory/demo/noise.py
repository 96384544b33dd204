"""Draw how well the log evidence is known from one Jacobian, for less and less noise in the data.

Run this file where vaetheory and matplotlib are installed; it takes less than a minute.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

import vaetheory as vt

PATH = Path(__file__).resolve().parents[2] / "docs" / "images" / "evidence.png"
LATENT, DATA, DECODERS, SAMPLES = 4, 24, 20, 20
NOISES = [2.0**-i for i in range(6)]
LABELS = (
    "ELBO, best diagonal covariance",
    "IWAE, 64 samples of the same",
    "log_evidence: one Jacobian",
    "log_evidence: one full Hessian",
)


def errors(noise: float, generator: torch.Generator) -> Tensor:
    """Errors of log p(x), (4, samples), for random networks and data that they generate."""
    rows = []
    for seed in range(DECODERS):
        torch.manual_seed(seed)
        decoder = nn.Sequential(nn.Linear(LATENT, 32), nn.Tanh(), nn.Linear(32, DATA))
        with torch.no_grad():
            for parameter in decoder.double().parameters():
                parameter.mul_(2.0)
        likelihood = vt.Normal(noise)
        z = torch.randn(SAMPLES, LATENT, dtype=torch.float64, generator=generator)
        x = likelihood.sample(decoder(z).detach(), generator)
        z = vt.find_map(decoder, x, z, likelihood, curvature="hessian").z
        reference = vt.importance_evidence(
            decoder, x, z, likelihood, count=20_000, generator=generator
        ).value
        precision = vt.DecoderMetric(decoder, z, likelihood).dense()
        posterior = (decoder, x, z, vt.optimal_diagonal_covariance(precision), likelihood)
        found = (
            vt.elbo(*posterior, samples=2000, generator=generator),
            vt.iwae(*posterior, samples=64, generator=generator),
            vt.log_evidence(decoder, x, z, likelihood).value,
            vt.log_evidence(decoder, x, z, likelihood, curvature="hessian").value,
        )
        rows.append(torch.stack(found) - reference)
    return torch.cat(rows, 1)


@torch.no_grad()
def main() -> None:
    """Compute, print and draw the median errors."""
    generator = torch.Generator().manual_seed(0)
    medians = torch.stack([errors(noise, generator).abs().median(1).values for noise in NOISES])
    for noise, row in zip(NOISES, medians.tolist(), strict=True):
        print(f"{noise:8.4f}" + "".join(f"{value:10.4f}" for value in row), flush=True)
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    for label, values in zip(LABELS, medians.T, strict=True):
        axes.loglog(NOISES, values, "o-", label=label)
    axes.set_xticks(NOISES, [f"1/{round(1 / noise)}" for noise in NOISES])
    axes.minorticks_off()
    axes.invert_xaxis()
    axes.set_xlabel("noise of the data (standard deviation)")
    axes.set_ylabel("median |error| of log p(x), nats")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(PATH, dpi=110)


if __name__ == "__main__":
    main()
