"""Train VAEs on digits with learned variances and without, and draw what their evidence is.

Run this file where vaetheory is installed with its extra ``cli``; it takes a minute.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from rich.progress import Progress
from torch import Tensor
from torch.nn import functional

from vaetheory.cli.evaluate import show_summary
from vaetheory.models import AutoEncoder
from vaetheory.training.configuration import Configuration, Objective
from vaetheory.training.data_sets import load_data
from vaetheory.training.evaluation import Evaluation, evaluate
from vaetheory.training.loop import train

PATH = Path(__file__).resolve().parents[2] / "docs" / "images" / "digits.png"
KINDS: dict[Objective, str] = {"elbo": "learned variances", "bilbo": "BILBO: no variances"}
EPOCHS, LATENTS, SHOWN = 100, 200, 8


def trained(objective: Objective) -> AutoEncoder:
    """Train a model, behind a progress bar."""
    data = load_data("digits")
    with Progress() as bar:
        task = bar.add_task(KINDS[objective], total=EPOCHS)
        return train(
            Configuration(objective=objective, epochs=EPOCHS),
            data,
            report=lambda progress: bar.update(task, completed=progress.epoch),
        )


def draw_evidence(axes: Axes, found: Evaluation, title: str) -> None:
    """Draw each image's evidence against its ELBO."""
    axes.plot(found.elbo, found.evidence_by_hessian, ".", markersize=3)
    limits = [float(found.elbo.min()), float(found.elbo.max())]
    axes.plot(limits, limits, color="black", linewidth=0.8)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("ELBO, nats")
    axes.set_ylabel("evidence, nats")


def draw_images(axes: Axes, rows: list[Tensor]) -> None:
    """Draw rows of images: originals, reconstructions, samples of the model."""
    lines = [torch.cat([functional.pad(image, [1, 1, 1, 1]) for image in row], 1) for row in rows]
    axes.imshow(torch.cat(lines), cmap="gray_r", vmin=0, vmax=1)
    axes.set_xticks([])
    side = len(lines[0])
    places = [side * (row + 0.5) for row in range(len(rows))]
    axes.set_yticks(places, ["test images", "reconstructed", "generated"])


@torch.no_grad()
def main() -> None:
    """Train, evaluate, print and draw."""
    x = load_data("digits").testing
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(
        2, len(KINDS), figsize=(8, 6), layout="constrained", height_ratios=[3, 2]
    )
    for column, (objective, title) in enumerate(KINDS.items()):
        with torch.enable_grad():
            model = trained(objective)
        found = evaluate(model, x, samples=LATENTS)
        print(f"\n{title}")
        show_summary(found, LATENTS, EPOCHS)
        draw_evidence(axes[0, column], found, title)
        drawn = model.generate(SHOWN, torch.Generator().manual_seed(0))
        draw_images(axes[1, column], [x[:SHOWN], model.reconstruct(x[:SHOWN]), drawn])
    figure.savefig(PATH, dpi=110)
    print(PATH)


if __name__ == "__main__":
    main()
