"""Compare log-determinants from the same number of matrix-vector products.

    python -m log_determinants.compare --sizes 64 256 1024 4096 --seeds 100

writes one JSON file a matrix into the report's folder, so that a run may be made in parts, and from
all that lie there the table and the plot.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from log_determinants.estimators import Estimator

LIBRARIES = ("linear_operator", "imate", "matfree")
BUDGETS = (32, 64, 128, 256)
RESAMPLES = 2000
PILOT_SEEDS = 10
PILOT_RATIO = 1.5
"""Settings of another library run on after so many seeds if their median error is at most so many
times that library's least."""


def main() -> None:
    """Run what is asked for, then draw up the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[64, 256, 1024, 4096])
    parser.add_argument("--matrices", nargs="*", default=["pow", "mlp", "kern"])
    parser.add_argument("--budgets", type=int, nargs="*", default=list(BUDGETS))
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="two sizes and ten seeds")
    parser.add_argument("--report", type=Path, default=Path(__file__).parent / "report")
    asked = parser.parse_args()
    if asked.quick:
        asked.sizes, asked.seeds = [64, 256], 10
    torch.set_num_threads(1)
    asked.report.mkdir(parents=True, exist_ok=True)
    for size in asked.sizes:
        for name in asked.matrices:
            budgets = [budget for budget in asked.budgets if budget < size]
            measure(name, size, budgets, asked.seeds, asked.report)
    write_report(asked.report)


def measure(name: str, size: int, budgets: list[int], seeds: int, folder: Path) -> None:
    """Run every estimator on one matrix, and save after each budget."""
    # Here, as the report can be drawn without the other libraries.
    from log_determinants import estimators, spectra

    matrix = spectra.matrix(name, size)
    exact = 2 * float(torch.linalg.cholesky(matrix).diagonal().log().sum())
    for budget in budgets:
        start = time.perf_counter()
        ours = estimators.vaetheory(matrix, budget, range(seeds))
        result: dict[str, Any] = {
            "matrix": name,
            "size": size,
            "budget": budget,
            "exact": exact,
            "ours": [float(one.value) for one in ours],
            "products": max(one.products for one in ours),
            "standard_error": [
                None if one.standard_error is None else float(one.standard_error) for one in ours
            ],
            "lower": [None if one.lower is None else float(one.lower) for one in ours],
            "upper": [None if one.upper is None else float(one.upper) for one in ours],
            "rivals": run_rivals(estimators.rivals(size, budget), matrix, budget, seeds, exact),
        }
        path = folder / f"{name}-{size}-{budget}.json"
        path.write_text(json.dumps(result), encoding="utf-8")
        print(f"{path.name}: {time.perf_counter() - start:.0f} s", flush=True)


def run_rivals(
    rivals: dict[str, Estimator], matrix: torch.Tensor, budget: int, seeds: int, exact: float
) -> dict[str, list[float]]:
    """Run the settings of each library, all of them to begin with and then the promising ones."""
    pilot = range(min(PILOT_SEEDS, seeds))
    found = {title: estimator(matrix, budget, pilot) for title, estimator in rivals.items()}
    medians = {title: float(np.median(errors(values, exact))) for title, values in found.items()}
    least = best_of(medians)
    for title, values in found.items():
        if medians[title] <= PILOT_RATIO * least[library_of(title)][0]:
            values += rivals[title](matrix, budget, range(len(pilot), seeds))
    return found


def library_of(title: str) -> str:
    """Return the library whose setting has that title."""
    return next(library for library in LIBRARIES if title.startswith(library))


def best_of(medians: dict[str, float]) -> dict[str, tuple[float, str]]:
    """Least median of each library, and the title of its setting."""
    return {
        library: min((m, t) for t, m in medians.items() if library_of(t) == library)
        for library in LIBRARIES
    }


def errors(values: list[float], exact: float) -> np.ndarray:
    """Relative errors; what is not a number counts as wrong without limit."""
    found = np.abs(np.array(values) / exact - 1)
    return np.where(np.isfinite(found), found, np.inf)


def compare(result: dict[str, Any]) -> dict[str, Any]:
    """Medians of one cell, and the ratio to the best rival with its bootstrap interval."""
    exact = result["exact"]
    ours = errors(result["ours"], exact)
    theirs = {title: errors(values, exact) for title, values in result["rivals"].items()}
    # Settings that were given up after the pilot seeds do not count.
    whole = {title: found for title, found in theirs.items() if len(found) == len(ours)}
    best = best_of({title: float(np.median(found)) for title, found in whole.items()})
    least, title = min(best.values())
    source = np.random.default_rng(0)
    ratios = []
    for _ in range(RESAMPLES):
        some = source.integers(0, len(ours), len(ours))
        others = source.integers(0, len(ours), len(ours))
        ratios.append(np.median(ours[some]) / np.median(whole[title][others]))
    covered = None
    if None not in result["standard_error"]:
        off = np.abs(np.array(result["ours"]) - exact)
        covered = float(np.mean(off <= 2 * np.array(result["standard_error"])))
    # Rounding of the exact value itself.
    slack = 1e-10 * abs(exact)
    violated = sum(
        (low is not None and low > exact + slack) or (high is not None and high < exact - slack)
        for low, high in zip(result["lower"], result["upper"], strict=True)
    )
    return {
        "ours": float(np.median(ours)),
        "best": best,
        "ratio": float(np.median(ours)) / least,
        "interval": [float(bound) for bound in np.quantile(ratios, (0.025, 0.975))],
        "covered": covered,
        "violated": violated / len(ours),
    }


def write_report(folder: Path) -> None:
    """Write the table and the plot from all results in the folder."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*-*-*.json")]
    order = {"pow": 0, "mlp": 1, "kern": 2}
    results.sort(key=lambda one: (one["size"], order[one["matrix"]], one["budget"]))
    cells = [(result, compare(result)) for result in results]
    if not cells:
        return
    lines = [
        "# Log-determinants from products",
        "",
        "Median relative error in %. Of the other libraries the best of all settings of each.",
        "",
        "| n | matrix | products | vaetheory | linear_operator | imate | matfree | ratio to the "
        "best | 95 % interval | within 2 standard errors | bounds violated |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result, cell in cells:
        libraries = " | ".join(
            f"{100 * median:.3g} ({title.removeprefix(library).strip(', ')})"
            for library, (median, title) in cell["best"].items()
        )
        low, high = cell["interval"]
        covered = "too few probes" if cell["covered"] is None else f"{100 * cell['covered']:.0f} %"
        lines.append(
            f"| {result['size']} | {result['matrix']} | {result['budget']} "
            f"| {100 * cell['ours']:.3g} | {libraries} | {cell['ratio']:.2g} "
            f"| {low:.2g}-{high:.2g} | {covered} | {100 * cell['violated']:.0f} % |"
        )
    ratios = np.array([cell["ratio"] for _, cell in cells])
    covered_all = [cell["covered"] for _, cell in cells if cell["covered"] is not None]
    violated_all = [cell["violated"] for _, cell in cells]
    lines += [
        "",
        f"{len(cells)} cells of {min(len(result['ours']) for result, _ in cells)} seeds or more: "
        f"largest ratio {ratios.max():.2g}, geometric mean {np.exp(np.log(ratios).mean()):.2g}.",
        f"Bounds violated in {100 * np.mean(violated_all):.2g} % of runs."
        + (
            f" Within 2 standard errors: {100 * np.mean(covered_all):.1f} % of the runs that have "
            f"one, {100 * min(covered_all):.0f} to {100 * max(covered_all):.0f} % by cell."
            if covered_all
            else ""
        ),
        "",
        "![Errors by products](log_determinants.png)",
        "",
    ]
    (folder / "log_determinants.md").write_text("\n".join(lines), encoding="utf-8")
    plot(cells, folder / "log_determinants.png")
    print("\n".join(lines))


def plot(cells: list[tuple[dict[str, Any], dict[str, Any]]], path: Path) -> None:
    """Draw the median errors over the products, a panel for each matrix."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot, ticker

    sizes = sorted({result["size"] for result, _ in cells})
    names = [name for name in ("pow", "mlp", "kern") if any(r["matrix"] == name for r, _ in cells)]
    figure, axes = pyplot.subplots(
        len(names), len(sizes), figsize=(3 * len(sizes), 2.6 * len(names)), squeeze=False
    )
    for row, name in enumerate(names):
        for column, size in enumerate(sizes):
            panel = axes[row, column]
            panel.set_title(f"{name}, n = {size}", fontsize=9)
            some = [(r, c) for r, c in cells if (r["matrix"], r["size"]) == (name, size)]
            if not some:
                panel.set_axis_off()
                continue
            budgets = [result["budget"] for result, _ in some]
            for library in LIBRARIES:
                found = [100 * cell["best"][library][0] for _, cell in some]
                panel.plot(budgets, found, ".--", label=library, linewidth=1)
            panel.plot(budgets, [100 * cell["ours"] for _, cell in some], "ok-", label="vaetheory")
            panel.set_xscale("log", base=2)
            panel.set_xticks(budgets, [str(budget) for budget in budgets])
            panel.set_yscale("log")
            panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_major_formatter("{x:g}")
            panel.yaxis.set_minor_formatter(ticker.NullFormatter())
            panel.set_xlabel("products", fontsize=8)
    for panel in axes[:, 0]:
        panel.set_ylabel("median error, %", fontsize=8)
    axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
