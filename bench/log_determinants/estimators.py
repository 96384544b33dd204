"""The estimators that are compared: each is given products alone, and as many as the rest.

Every entry maps (matrix, budget, seeds) to estimates, one for each seed. Those of other libraries
come with depths from 4 to 128 and as many probes as the budget then allows; the table takes
the best of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
import numpy as np
import torch
from imate import logdet as imate_logdet
from linear_operator.utils.lanczos import lanczos_tridiag, lanczos_tridiag_to_diag
from linear_operator.utils.stochastic_lq import StochasticLQ
from matfree import decomp, funm, stochtrace
from torch import Tensor

from vaetheory.log_determinants import LogDeterminant, logdet
from vaetheory.operators import FunctionOperator

jax.config.update("jax_enable_x64", True)

DEPTHS = (4, 8, 16, 32, 64, 128)
BATCH = 10
Estimator = Callable[[Tensor, int, Sequence[int]], list[float]]


def vaetheory(matrix: Tensor, budget: int, seeds: Sequence[int]) -> list[LogDeterminant]:
    """Ours, with the floor that A = J^T J + I has."""
    size = matrix.shape[0]
    operator = FunctionOperator(lambda v: v @ matrix, 1, size, matrix.dtype)
    generators = (torch.Generator().manual_seed(seed) for seed in seeds)
    return [logdet(operator, budget, floor=1.0, generator=one) for one in generators]


def linear_operator(depth: int) -> Estimator:
    """Stochastic Lanczos quadrature as its `InvQuadLogdet` does it without a preconditioner."""

    def estimate(matrix: Tensor, budget: int, seeds: Sequence[int]) -> list[float]:
        probes = budget // depth
        quadrature = StochasticLQ(max_iter=depth, num_random_probes=probes)
        results = []
        for some in batched(seeds):
            start = torch.cat([_start(matrix, probes, seed) for seed in some], 1)
            _, tridiagonal = lanczos_tridiag(
                matrix.matmul,
                depth,
                matrix.dtype,
                matrix.device,
                matrix.shape,
                init_vecs=start,
                num_init_vecs=start.shape[1],
            )
            values, vectors = lanczos_tridiag_to_diag(tridiagonal.reshape(-1, depth, depth))
            for number in range(len(some)):
                of_seed = slice(number * probes, (number + 1) * probes)
                (value,) = quadrature.to_dense(
                    matrix.shape, values[of_seed], vectors[of_seed], [torch.log]
                )
                results.append(float(value))
        return results

    return estimate


def imate(depth: int) -> Estimator:
    """Stochastic Lanczos quadrature with full reorthogonalisation."""

    def estimate(matrix: Tensor, budget: int, seeds: Sequence[int]) -> list[float]:
        probes = budget // depth
        options: dict[str, Any] = {
            "method": "slq",
            "lanczos_degree": depth,
            "min_num_samples": probes,
            "max_num_samples": probes,
            "orthogonalize": -1,
            "num_threads": 1,
        }
        entries = matrix.numpy()
        return [float(imate_logdet(entries, seed=seed, **options)) for seed in seeds]

    return estimate


def matfree(depth: int, kind: str) -> Estimator:
    """Monte Carlo quadrature with signs or on the sphere, and XTrace and XNysTrace of log A."""

    def estimate(matrix: Tensor, budget: int, seeds: Sequence[int]) -> list[float]:
        run = _matfree_compiled(depth, kind, budget, matrix.shape[0])
        entries = jax.numpy.asarray(matrix.numpy())
        results = []
        for some in batched(seeds):
            keys = jax.numpy.stack([jax.random.PRNGKey(seed) for seed in some])
            results += [float(value) for value in run(entries, keys)]
        return results

    return estimate


def batched(seeds: Sequence[int]) -> list[Sequence[int]]:
    """Cut into runs of seeds whose probes are multiplied by the matrix together: this is faster."""
    return [seeds[first : first + BATCH] for first in range(0, len(seeds), BATCH)]


def _start(matrix: Tensor, probes: int, seed: int) -> Tensor:
    torch.manual_seed(seed)
    start = torch.randn(matrix.shape[0], probes, dtype=matrix.dtype)
    return start / start.norm(dim=0, keepdim=True)


@cache
def _matfree_compiled(depth: int, kind: str, budget: int, size: int) -> Any:
    products = 2 * depth if kind == "xtrace" else depth
    like = np.zeros(size)
    sampler = stochtrace.sampler_signs if kind == "signs" else stochtrace.sampler_sphere
    draw = sampler(like, num=budget // products)
    tridiagonal = decomp.tridiag_sym(depth)
    if kind in ("signs", "sphere"):
        integrand = funm.monte_carlo_funm_sym_logdet(tridiagonal)
        made = stochtrace.estimator_monte_carlo(integrand, draw)
        return _compiled(lambda entries, key: made(lambda v: entries @ v, key))
    logarithm = funm.funm_lanczos_sym(funm.dense_funm_sym_eigh(jax.numpy.log), tridiagonal)
    leave_out = (
        stochtrace.leave_one_out_xtrace if kind == "xtrace" else stochtrace.leave_one_out_xnystrace
    )
    made = stochtrace.estimator_leave_one_out(leave_out(), draw)
    return _compiled(lambda entries, key: made(lambda v: logarithm(lambda w: entries @ w, v), key))


def _compiled(run: Callable[[Any, Any], Any]) -> Any:
    return jax.jit(jax.vmap(run, in_axes=(None, 0)))


def rivals(size: int, budget: int) -> dict[str, Estimator]:
    """Return what other libraries can do with the budget, by name."""
    made: dict[str, Estimator] = {}
    for depth in DEPTHS:
        if depth > min(budget, size):
            continue
        made[f"linear_operator, depth {depth}"] = linear_operator(depth)
        made[f"imate, depth {depth}"] = imate(depth)
        for kind in ("signs", "sphere"):
            made[f"matfree {kind}, depth {depth}"] = matfree(depth, kind)
        for kind, each in (("xtrace", 2 * depth), ("xnystrace", depth)):
            if budget // each >= 2:
                made[f"matfree {kind}, depth {depth}"] = matfree(depth, kind)
    return made
