"""The precision of the posterior as a decoder's Jacobian gives it, by its products with vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import torch
from torch import Tensor

from vaetheory.arguments import (
    Decoder,
    check_choice,
    check_count,
    check_latent,
    check_number,
    decoder_output_shape,
)
from vaetheory.errors import ArgumentError
from vaetheory.jacobian import Jacobian
from vaetheory.likelihoods import Likelihood, likelihood_or_unit_normal
from vaetheory.operators import SymmetricOperator
from vaetheory.vector_map import VectorMap, chunks, default_rows

Curvature = Literal["fisher", "gauss-newton", "hessian"]
CURVATURES: Final = ("fisher", "gauss-newton", "hessian")


class DecoderMetric(SymmetricOperator):
    """A = J^T G J + I, the precision of the posterior around z, one matrix for each sample.

    J is the decoder's Jacobian at z and G a curvature of the likelihood in the decoder's output:

    - ``"fisher"``: the Fisher information, whatever the data; then A is the metric that the model
      puts on its latent space, positive definite everywhere.
    - ``"gauss-newton"``: the likelihood's own second derivative -d^2 log p(x | nu) / d nu^2 at the
      data. The same as the Fisher information except for `MeanVarianceNormal`.
    - ``"hessian"``: not of this form: -d^2 log p(x, z) / d z^2 with the decoder's second
      derivatives, which may be indefinite away from a maximum.

    Each product is one forward-mode and one reverse-mode derivative, and nothing of the size
    (m, d) is formed. Products are differentiable in z and the decoder's parameters; call them under
    `torch.no_grad` where no derivative is wanted.

    Parameters
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t), each sample by itself.
    z : Tensor, shape (b, d)
        Where the metric is taken.
    likelihood : Likelihood, optional
        By default the normal distribution with unit variance, for which G = I.
    x : Tensor, shape (b, *s), optional
        Data; only the curvatures "gauss-newton" and "hessian" need them.
    curvature : {"fisher", "gauss-newton", "hessian"}
        See above.
    prior_precision : float
        What stands before I: 1 for the prior N(0, I), 0 for J^T G J alone.
    output_shape, rows
        As for `Jacobian`.

    References
    ----------
    Fyffe, arXiv:1912.10309: A is the matrix whose inverse is the optimal posterior covariance.
    """

    def __init__(
        self,
        decoder: Decoder,
        z: Tensor,
        likelihood: Likelihood | None = None,
        x: Tensor | None = None,
        *,
        curvature: Curvature = "fisher",
        prior_precision: float = 1.0,
        output_shape: Sequence[int] | None = None,
        rows: int | None = None,
    ) -> None:
        check_latent("z", z)
        super().__init__(z.shape[0], z.shape[1], z.dtype, z.device)
        likelihood = likelihood_or_unit_normal(likelihood)
        check_choice("curvature", curvature, CURVATURES)
        if output_shape is None:
            output_shape = decoder_output_shape(decoder, z)
        if x is not None:
            likelihood.check_data(x, output_shape, z)
        elif curvature != "fisher":
            raise ArgumentError(f"x must be given for the curvature {curvature!r}")
        if rows is not None:
            check_count("rows", rows)
        check_number("prior_precision", prior_precision, 0, may_be_low=True)
        self.decoder = decoder
        self.z = z
        self.likelihood = likelihood
        self.x = x
        self.curvature = curvature
        self.prior_precision = prior_precision
        self.output_shape = torch.Size(output_shape)
        self.rows = rows or default_rows(self.output_shape.numel(), self.size)
        samples = (z,) if x is None else (z, x)
        multiply = self._second_derivative if curvature == "hessian" else self._sandwich
        self._multiply = VectorMap(multiply, samples, self.rows)

    def _product(self, vectors: Tensor) -> Tensor:
        return self._multiply(vectors) + self.prior_precision * vectors

    def dense(self) -> Tensor:
        """Return A, shape (b, d, d)."""
        return self.gram() + self.prior_precision * self._identity()

    def gram(self) -> Tensor:
        """Return J^T G J, without the prior's part, shape (b, d, d).

        From J where one sample's fits into the memory that `rows` allows; otherwise, and for the
        Hessian, with d products.
        """
        if self.curvature == "hessian" or self.size > self.rows:
            gram = self._multiply(self._identity().expand(self.batch, -1, -1))
        else:
            pieces = chunks(self.batch, self.size, self.rows)
            gram = torch.cat([self._gram_from_dense(samples) for samples, _ in pieces])
        return 0.5 * (gram + gram.mT)

    def _gram_from_dense(self, samples: slice) -> Tensor:
        z = self.z[samples]
        x = None if self.x is None else self.x[samples]
        jacobian = Jacobian(self.decoder, z, output_shape=self.output_shape, rows=self.rows)
        rows = jacobian.product(self._identity().expand(z.shape[0], -1, -1))
        weighted = self._weight(jacobian.output(), x, rows)
        return weighted.flatten(2) @ rows.flatten(2).mT

    def _identity(self) -> Tensor:
        return torch.eye(self.size, dtype=self.dtype, device=self.device)

    def _weight(self, output: Tensor, x: Tensor | None, vectors: Tensor) -> Tensor:
        """Multiply vectors (c, k, *t) with G."""
        if self.curvature == "fisher":
            return self.likelihood.fisher_product(output, vectors)
        assert x is not None
        return self.likelihood.curvature_product(x, output, vectors)

    def _sandwich(self, z: Tensor, *rest: Tensor) -> Tensor:
        """J^T G J v for one vector (c, d) a sample; `rest` is the data, if any, and the vector."""
        x = rest[0] if len(rest) == 2 else None
        output_and_push = torch.func.jvp(self.decoder, (z,), (rest[-1],))
        output, push = output_and_push[:2]
        weighted = self._weight(output, x, push[:, None])[:, 0]
        pull_back = torch.func.vjp(self.decoder, z)[1]
        product: Tensor = pull_back(weighted)[0]
        return product

    def _second_derivative(self, z: Tensor, x: Tensor, vector: Tensor) -> Tensor:
        """-d^2 log p(x | nu(z)) / d z^2 v for one vector (c, d) a sample."""

        def gradient(point: Tensor) -> Tensor:
            slope: Tensor = torch.func.grad(
                lambda z: -self.likelihood.log_prob(x, self.decoder(z)).sum()
            )(point)
            return slope

        product: Tensor = torch.func.jvp(gradient, (z,), (vector,))[1]
        return product
