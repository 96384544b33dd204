"""Log-determinants as a minimum over covariances, which may be trained along with a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor, nn

from vaetheory.arguments import (
    check_choice,
    check_count,
    check_finite,
    check_number,
    check_shape,
    check_tensor,
)
from vaetheory.chi_square import mean_limit
from vaetheory.covariance import (
    Covariance,
    DiagonalCovariance,
    FullCovariance,
    LowRankCovariance,
)
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.operators import SymmetricOperator
from vaetheory.student import two_sigma_factor

Family = Literal["diagonal", "low-rank", "cholesky"]
FAMILIES: Final = ("diagonal", "low-rank", "cholesky")

QuadraticForm = SymmetricOperator | Callable[[Tensor], Tensor]
"""A, or a function that maps vectors (b, k, n) to the scalars v^T A v, shape (b, k), alone."""


@dataclass(frozen=True, eq=False)
class VariationalBound:
    """An estimate of F(Sigma), which lies above log det A.

    Attributes
    ----------
    value : Tensor, shape (b,)
        Mean over fresh probes: its expectation is at least log det A.
    standard_error : Tensor, shape (b,)
        With Student's correction for the number of probes.
    upper : Tensor, shape (b,)
        One-sided 99 % limit, see `mean_limit`: F(Sigma), and with it log det A, exceeds it in at
        most about 1 of 100 runs.
    products : int
        Products with, or values of, the quadratic form for each matrix.
    """

    value: Tensor
    standard_error: Tensor
    upper: Tensor
    products: int


class VariationalLogDeterminant(nn.Module):
    """Covariances Sigma that are fitted to minimise F(Sigma) = tr(A Sigma) - log det(e Sigma).

    F(Sigma) >= log det A for every positive definite Sigma, with equality at A^-1 (Fyffe,
    arXiv:1912.10309: the Taylor form of the ELBO, maximised over the posterior covariance). Within
    a family the minimum is the least bound that the family can give; for diagonal matrices that is
    Sigma_ii = 1 / A_ii and F = sum_i log A_ii.

    It is a slow estimator of the value and a good companion of a model in training: a step costs a
    few products. Every parameter stands for a positive definite Sigma, whatever its value.

    Parameters
    ----------
    batch, size : int
        Number b of matrices, and n of rows of each.
    family : {"diagonal", "low-rank", "cholesky"}
        diag(s); diag(s) + U U^T; L L^T.
    rank : int, optional
        Columns of U; needed for "low-rank", and only there.
    variance : float
        Sigma is this times I to begin with (U: a hundredth of that, at random).
    dtype, device
        Of the parameters.
    generator : torch.Generator, optional
        For the first U.
    """

    def __init__(
        self,
        batch: int,
        size: int,
        family: Family = "diagonal",
        *,
        rank: int | None = None,
        variance: float = 1.0,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count("batch", batch)
        check_count("size", size)
        check_choice("family", family, FAMILIES)
        if (rank is not None) != (family == "low-rank"):
            raise ArgumentError(f"rank must be given for the family 'low-rank' alone, got {rank}")
        check_number("variance", variance, 0)
        self.batch = batch
        self.size = size
        self.family = family
        filled = torch.full((batch, size), variance, dtype=dtype, device=device)
        self.log_variance = nn.Parameter(filled.log())
        if family == "cholesky":
            # Sigma = L diag(s) L^T with ones on the diagonal of L.
            self.factor = nn.Parameter(torch.zeros(batch, size, size, dtype=dtype, device=device))
        elif rank is not None:
            check_count("rank", rank)
            noise = torch.randn(
                (batch, size, rank), generator=generator, dtype=dtype, device=device
            )
            self.factor = nn.Parameter(noise * (0.01 * variance / rank) ** 0.5)

    def covariance(self) -> Covariance:
        """Return Sigma, differentiable in the parameters."""
        variance = self.log_variance.exp()
        if self.family == "diagonal":
            return DiagonalCovariance(variance)
        if self.family == "low-rank":
            return LowRankCovariance(variance, self.factor)
        identity = torch.eye(self.size, dtype=variance.dtype, device=variance.device)
        unit = self.factor.tril(-1) + identity
        return FullCovariance(unit * variance.sqrt()[:, None, :])

    def loss(
        self, form: QuadraticForm, probes: int = 1, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return an unbiased estimate of F(Sigma), shape (b,), for gradient descent.

        With v = v(Sigma) reparameterised draws from N(0, Sigma), the mean of v^T A v - log det(e
        Sigma). Gradients flow to Sigma, which takes a form that is differentiable in v, and to
        whatever A depends on. Minimising the mean over a model's data trains both.

        Its probes are those of the fit: for a bound call `bound`.
        """
        check_count("probes", probes)
        covariance = self.covariance()
        vectors = covariance.sample(probes, generator)
        return _evaluate(form, vectors).mean(1) - covariance.logdet() - self.size

    def score_loss(
        self, form: QuadraticForm, probes: int = 8, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return the same estimate with a gradient from the scalars v^T A v alone.

        grad E[v^T A v] = E[(v^T A v) grad log N(v; 0, Sigma)]: the form need not be differentiable.
        The mean of the other probes is taken off each scalar, which keeps the gradient unbiased and
        lowers its variance; hence at least two probes.
        """
        check_count("probes", probes, 2)
        covariance = self.covariance()
        with torch.no_grad():
            vectors = covariance.sample(probes, generator)
            scalars = _evaluate(form, vectors)
        log_determinant = covariance.logdet()
        exponent = (vectors * covariance.solve(vectors)).sum(2)
        score = -0.5 * (exponent + log_determinant[:, None])
        centred = (scalars - scalars.mean(1, keepdim=True)) * (probes / (probes - 1))
        weighted = (centred * score).mean(1)
        value = scalars.mean(1) + (weighted - weighted.detach())
        return value - log_determinant - self.size

    @torch.no_grad()
    def bound(
        self, form: QuadraticForm, probes: int, generator: torch.Generator | None = None
    ) -> VariationalBound:
        """Estimate F(Sigma) >= log det A on fresh probes, with a one-sided 99 % limit."""
        check_count("probes", probes, 2)
        covariance = self.covariance()
        scalars = _evaluate(form, covariance.sample(probes, generator))
        value = scalars.mean(1) - covariance.logdet() - self.size
        error = scalars.std(1) / probes**0.5
        return VariationalBound(
            value=value,
            standard_error=error * two_sigma_factor(probes),
            upper=mean_limit(scalars, self.size) - covariance.logdet() - self.size,
            products=probes,
        )

    @torch.no_grad()
    def natural_step(
        self,
        form: QuadraticForm,
        rate: float,
        *,
        probes: int = 1,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        """Follow the natural gradient: Sigma moves along -rate (Sigma A Sigma - Sigma).

        With Sigma = L L^T and W = L^T A L the step is Sigma <- L exp(-rate (W - I)) L^T, the
        geodesic of the Fisher metric; for diagonal Sigma the same with W's diagonal. W is estimated
        as E[W e e^T], or from scalars alone as 1/2 E[(v^T A v)(e e^T - I)], v = L e. Low rank plus
        diagonal: U <- U - rate/2 (Sigma A - I) U, which takes one product a column, and the
        diagonal by s_i (A - Sigma^-1)_ii, estimated with Rademacher probes. Exponents are held
        within -1 and 1, and changes of U within half its norm, so that no estimate, however far
        off, carries a step away; Sigma is positive definite throughout.

        Parameters
        ----------
        form : SymmetricOperator or callable
            A, or scalars alone (then at least two probes; not for "low-rank").
        rate : float
            In (0, 1]; with noisy estimates let it fall.
        probes : int
            Number of probes.
        noise : Tensor, shape (b, k, n), optional
            The vectors e in place of random ones; their mean e e^T should be I. The rows of
            sqrt(n) I make the step exact, if A itself is given.
        generator : torch.Generator, optional
            Source of the probes.
        """
        _check_rate(rate)
        white = self._white(probes, noise, generator)
        if self.family == "low-rank":
            self._low_rank_step(form, rate, white if noise is not None else white.sign())
        else:
            self._step(form, white, lambda excess: (-rate * excess).clamp(-1, 1).exp())

    @torch.no_grad()
    def newton_step(
        self,
        form: QuadraticForm,
        *,
        rate: float = 1.0,
        probes: int = 1,
        noise: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        """Take a step of Newton and Schulz: Sigma <- 2 Sigma - Sigma A Sigma, safeguarded.

        In the terms of `natural_step` Sigma <- L (I - rate (W - I)) L^T. Where W has eigenvalues
        above 1.5 that would lose positive definiteness or come close to it: there Sigma is halved
        instead. Convergence is quadratic once W is near I. The families are "diagonal" and
        "cholesky"; the other parameters are those of `natural_step`.
        """
        _check_rate(rate)
        if self.family == "low-rank":
            raise ArgumentError("family must be 'diagonal' or 'cholesky' for Newton's step")
        white = self._white(probes, noise, generator)
        self._step(form, white, lambda excess: 1 + (-rate * excess).clamp(-0.5, 1))

    def _white(
        self, probes: int, noise: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        check_count("probes", probes)
        if noise is not None:
            check_tensor("noise", noise)
            check_shape("noise", noise, (self.batch, "k", self.size))
            return noise
        parameter = self.log_variance
        shape = (self.batch, probes, self.size)
        return torch.randn(
            shape, generator=generator, dtype=parameter.dtype, device=parameter.device
        )

    def _step(self, form: QuadraticForm, white: Tensor, growth: Callable[[Tensor], Tensor]) -> None:
        """Multiply Sigma by a function of W - I, in the frame of its factor."""
        root = self.log_variance.mul(0.5).exp()
        if self.family == "diagonal":
            vectors = root[:, None] * white
            if isinstance(form, SymmetricOperator):
                weight = (white * root[:, None] * form.product(vectors)).mean(1)
            else:
                centred = _centred(_evaluate(form, vectors))
                weight = 0.5 * (centred[:, :, None] * white.square()).mean(1)
            check_finite("form's values", weight)
            self.log_variance.add_(growth(weight - 1).log())
            return
        covariance = self.covariance()
        assert isinstance(covariance, FullCovariance)
        factor = covariance.factor
        vectors = white @ factor.mT
        if isinstance(form, SymmetricOperator):
            weight = (form.product(vectors) @ factor).mT @ white / white.shape[1]
        else:
            centred = _centred(_evaluate(form, vectors))
            weight = 0.5 * (centred[:, :, None] * white).mT @ white / white.shape[1]
        check_finite("form's values", weight)
        weight = 0.5 * (weight + weight.mT)
        identity = torch.eye(self.size, dtype=weight.dtype, device=weight.device)
        values, turn = torch.linalg.eigh(weight - identity)
        moved = factor @ (turn * growth(values).sqrt()[:, None, :])
        # moved moved^T = R^T R.
        triangle = torch.linalg.qr(moved.mT).R
        pivots = triangle.diagonal(dim1=1, dim2=2)
        self.log_variance.copy_(2 * pivots.abs().log())
        self.factor.copy_((triangle / pivots[:, :, None]).mT.tril(-1))

    def _low_rank_step(self, form: QuadraticForm, rate: float, white: Tensor) -> None:
        if not isinstance(form, SymmetricOperator):
            raise ArgumentTypeError(
                "form must be a SymmetricOperator for steps of the family 'low-rank'; from scalars "
                "alone, descend score_loss"
            )
        covariance = self.covariance()
        diagonal = (white * form.product(white)).mean(1)
        # diag(Sigma^-1), from the determinant lemma's own pieces.
        scaled = self.factor * self.log_variance.neg().exp()[:, :, None]
        inner = torch.eye(self.factor.shape[2], dtype=white.dtype, device=white.device)
        capacitance = inner + self.factor.mT @ scaled
        solved = torch.linalg.solve(capacitance, scaled.mT).mT
        precision = self.log_variance.neg().exp() - (scaled * solved).sum(2)
        pull = covariance.product(form.product(self.factor.mT.contiguous())).mT - self.factor
        check_finite("form's products", pull)
        size = self.factor.norm(dim=(1, 2))
        change = 0.5 * rate * pull
        limit = (0.5 * size / change.norm(dim=(1, 2)).clamp_min(1e-30)).clamp_max(1.0)
        self.factor.sub_(limit[:, None, None] * change)
        excess = self.log_variance.exp() * (diagonal - precision)
        self.log_variance.add_((-rate * excess).clamp(-1, 1))


def _evaluate(form: QuadraticForm, vectors: Tensor) -> Tensor:
    """v^T A v, shape (b, k)."""
    if isinstance(form, SymmetricOperator):
        return (vectors * form.product(vectors)).sum(2)
    if not callable(form):
        raise ArgumentTypeError(
            f"form must be a SymmetricOperator or callable, got {type(form).__name__}"
        )
    values = form(vectors)
    check_tensor("form's values", values)
    check_shape("form's values", values, vectors.shape[:2])
    return values


def _centred(scalars: Tensor) -> Tensor:
    """Take off each scalar the mean of the others: E[(.) (e e^T - I)] is left as it is.

    As the result sums to zero over the probes, the - I may be left out.
    """
    count = scalars.shape[1]
    if count < 2:
        raise ArgumentError(f"probes must be at least 2 where only scalars are given, got {count}")
    return (scalars - scalars.mean(1, keepdim=True)) * (count / (count - 1))


def _check_rate(rate: float) -> None:
    check_number("rate", rate, 0)
    if rate > 1:
        raise ArgumentError(f"rate must be above 0 and at most 1, got {rate}")
