"""The most probable latent given the data (maximum a posteriori), by Levenberg-Marquardt steps."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from vaetheory.arguments import Decoder, check_choice, check_count, check_finite, check_number
from vaetheory.conjugate_gradients import conjugate_gradients
from vaetheory.errors import ConvergenceWarning
from vaetheory.joint import JointDensity, joint_density
from vaetheory.likelihoods import Likelihood
from vaetheory.metric import CURVATURES, Curvature

_FORCING = 1e-2
"""Relative residual that conjugate gradients leave in a step."""


@dataclass(frozen=True, eq=False)
class MapSolution:
    """What `find_map` found. It carries no gradient.

    Attributes
    ----------
    z : Tensor, shape (b, d)
        The most probable latents.
    log_joint : Tensor, shape (b,)
        log p(x, z) there.
    decrement : Tensor, shape (b,)
        1/2 g^T A^-1 g before the last step, from above: by about how many nats log p(x, z) could
        still rise. Infinite at a minimum or saddle.
    converged : Tensor of bool, shape (b,)
        Whether the decrement is below the tolerance; with the curvatures "hessian" and
        "gauss-newton" also that this is positive definite. Then z is no minimum or saddle, which
        "fisher" cannot tell from a maximum.
    iterations : Tensor of int, shape (b,)
        Steps tried.
    products : Tensor of int, shape (b,)
        Products with A that they took.
    """

    z: Tensor
    log_joint: Tensor
    decrement: Tensor
    converged: Tensor
    iterations: Tensor
    products: Tensor


@torch.no_grad()
def find_map(
    decoder: Decoder,
    x: Tensor,
    z: Tensor,
    likelihood: Likelihood | None = None,
    *,
    curvature: Curvature = "fisher",
    tolerance: float | None = None,
    max_iterations: int = 200,
    damping: float = 1.0,
    exact_limit: int = 256,
    rows: int | None = None,
) -> MapSolution:
    """Maximise log p(x, z) over z, each sample by itself.

    A step solves (A + lambda I) delta = g with the gradient g of log p(x, z) and its curvature A;
    it is taken if log p(x, z) rises, and lambda follows the ratio of gain and prediction as in
    Nielsen (1999). For d up to `exact_limit` A is formed and factorised; beyond, conjugate
    gradients solve the system from products alone.

    A sample has converged when 1/2 (1 + lambda) (g^T delta + |r|^2) is below the tolerance, r being
    the residual of conjugate gradients. As A >= I for the Fisher curvature, that is no less than
    1/2 g^T A^-1 g, by how much the quadratic model says that log p(x, z) can still rise. The step
    that told so is taken too.

    Parameters
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t), each sample by itself.
    x : Tensor, shape (b, *s)
        Data.
    z : Tensor, shape (b, d)
        Where to start: as a rule the encoder's mean.
    likelihood : Likelihood, optional
        By default the normal distribution with unit variance.
    curvature : {"fisher", "gauss-newton", "hessian"}
        Which A, see `DecoderMetric`. "fisher" never fails to be positive definite; "hessian" needs
        fewer steps where the residuals are large and the decoder curved.
    tolerance : float, optional
        In nats; by default 1e-10 in float64 and 1e-5 in float32. The rounding error of
        log p(x, z), taken to be 4 epsilon |log p(x, z)|, stands in its place where it is larger.
        Give a larger one for decoders with kinks (ReLU): at a maximum that lies on a kink, the
        gradient, and with it the decrement, does not tend to zero.
    max_iterations : int
        Steps to try at most.
    damping : float
        lambda at the start, in units of the prior's precision.
    exact_limit : int
        The largest d for which A is formed.
    rows : int, optional
        How many outputs to compute at a time.

    Returns
    -------
    MapSolution
        A `ConvergenceWarning` tells if a sample did not converge.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit the others or holds NaN, or log p(x, z) is not finite at z.

    References
    ----------
    Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05.
    """
    joint = joint_density(decoder, x, z, likelihood, rows)
    check_choice("curvature", curvature, CURVATURES)
    check_count("max_iterations", max_iterations)
    check_count("exact_limit", exact_limit, minimum=0)
    if tolerance is None:
        tolerance = 1e-10 if z.dtype == torch.float64 else 1e-5
    check_number("tolerance", tolerance, 0)
    check_number("damping", damping, 0)
    search = _Search(joint, z.detach(), curvature, damping, z.shape[1] <= exact_limit)
    for _ in range(max_iterations):
        active = (~search.converged).nonzero()[:, 0]
        if active.numel() == 0:
            break
        search.step(active, tolerance)
    if not bool(search.converged.all()):
        missing = int((~search.converged).sum())
        warnings.warn(
            f"{missing} of {z.shape[0]} samples have not converged after {max_iterations} "
            f"iterations: log p(x, z) may rise by up to {search.decrement.max():.2g} nats",
            ConvergenceWarning,
            stacklevel=3,
        )
    return MapSolution(
        search.z,
        search.log_joint,
        search.decrement,
        search.converged,
        search.iterations,
        search.products,
    )


class _Search:
    """The state of the search: tensors with one row for each sample, changed in place."""

    def __init__(
        self, joint: JointDensity, z: Tensor, curvature: Curvature, damping: float, exact: bool
    ) -> None:
        batch, size = z.shape
        self.joint = joint
        self.curvature: Curvature = curvature
        self.z = z.clone()
        self.log_joint = joint.log_prob(z)
        check_finite("log p(x, z) at z", self.log_joint)
        self.gradient = joint.gradient(z)
        self.precision = z.new_zeros(batch, size, size) if exact else None
        self.damping = torch.full_like(self.log_joint, damping)
        self.growth = torch.full_like(self.log_joint, 2.0)
        self.decrement = torch.full_like(self.log_joint, torch.inf)
        self.converged = torch.zeros(batch, dtype=torch.bool, device=z.device)
        self.moved = torch.ones_like(self.converged)
        self.iterations = torch.zeros(batch, dtype=torch.int64, device=z.device)
        self.products = torch.zeros_like(self.iterations)

    def step(self, active: Tensor, tolerance: float) -> None:
        """Try one step for each of the active samples."""
        self._update_model(active[self.moved[active]])
        step, residual, solved = self._solve(active)
        damping = self.damping[active]
        slope = (self.gradient[active] * step).sum(1)
        predicted = 0.5 * (slope + damping * step.square().sum(1))
        decrement = torch.where(
            solved, 0.5 * (1 + damping) * (slope + residual.square()), torch.inf
        )

        joint = self.joint.part(active)
        before = self.log_joint[active]
        trial = self.z[active] + step
        after = joint.log_prob(trial)
        slopes = joint.gradient(trial)
        rounding = 4 * torch.finfo(after.dtype).eps * before.abs()
        # Rounding hides a small rise of log p(x, z), but not the slopes at its two ends.
        small = predicted <= 1e3 * rounding
        rise = torch.where(small, 0.5 * (slope + (slopes * step).sum(1)), after - before)
        gain = rise / predicted
        near = solved & (decrement <= rounding.clamp(min=tolerance))
        if self.curvature != "fisher":
            positive = self._is_maximum(active, near)
            decrement = torch.where(near & ~positive, torch.inf, decrement)
            near = near & positive
        # The last step may be smaller than what the slopes tell; it is safe all the same.
        taken = (
            solved
            & torch.isfinite(after)
            & torch.isfinite(slopes).all(1)
            & ((gain > 1e-3) | (near & (after >= before - rounding)))
        )

        accepted = active[taken]
        self.z[accepted] = trial[taken]
        self.log_joint[accepted] = after[taken]
        self.gradient[accepted] = slopes[taken]
        self.moved[active] = taken
        shrunk = damping * (1 - (2 * gain - 1) ** 3).clamp(min=1 / 3, max=2.0)
        growth = self.growth[active]
        self.damping[active] = torch.where(taken, shrunk, damping * growth).clamp(1e-12, 1e12)
        self.growth[active] = torch.where(taken, 2.0, 2 * growth).clamp(max=1e6)
        self.decrement[active] = decrement
        self.converged[active] = near
        self.iterations[active] += 1

    def _update_model(self, samples: Tensor) -> None:
        """Take the curvature anew where z has changed."""
        if samples.numel() == 0 or self.precision is None:
            return
        metric = self.joint.part(samples).metric(self.z[samples], self.curvature)
        self.precision[samples] = metric.dense()
        self.products[samples] += metric.size

    def _is_maximum(self, active: Tensor, near: Tensor) -> Tensor:
        """Whether the curvature is positive definite without damping, asked where it is near."""
        found = torch.zeros_like(near)
        samples = active[near]
        if samples.numel() == 0:
            return found
        if self.precision is not None:
            found[near] = torch.linalg.cholesky_ex(self.precision[samples]).info == 0
            return found
        # Conjugate gradients from a random start meet a direction of negative curvature.
        metric = self.joint.part(samples).metric(self.z[samples], self.curvature)
        # The same for each sample, whatever else is in the batch.
        right = torch.randn(
            metric.size,
            generator=torch.Generator(self.z.device).manual_seed(0),
            dtype=self.z.dtype,
            device=self.z.device,
        )
        # To a small residual: a direction of little curvature is met late.
        solution = conjugate_gradients(metric, right.expand(len(samples), -1), tolerance=1e-6)
        self.products[samples] += solution.products
        found[near] = solution.positive
        return found

    def _solve(self, active: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return steps, norms of their residuals, and whether A + lambda I is positive definite."""
        gradient, damping = self.gradient[active], self.damping[active]
        if self.precision is not None:
            shift = damping[:, None].expand_as(gradient)
            factor, info = torch.linalg.cholesky_ex(
                self.precision[active] + torch.diag_embed(shift)
            )
            step = torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0]
            residual = torch.zeros_like(damping)
            solved = info == 0
        else:
            metric = self.joint.part(active).metric(self.z[active], self.curvature)
            solution = conjugate_gradients(metric, gradient, shift=damping, tolerance=_FORCING)
            self.products[active] += solution.products
            step, solved = solution.value, solution.positive
            residual = solution.residual * gradient.norm(dim=1)
        return torch.where(solved[:, None], step, 0.0), residual, solved
