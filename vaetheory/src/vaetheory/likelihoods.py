"""Likelihoods p(x | nu) of data given a decoder's output, with their Fisher information."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from vaetheory.arguments import (
    check_finite,
    check_number,
    check_positive,
    check_same_device,
    check_tensor,
)
from vaetheory.errors import ArgumentError, ArgumentTypeError

_LOG_TWO_PI: Final = math.log(2 * math.pi)


class Likelihood(nn.Module, ABC):
    """The distribution of data x (b, *s) whose parameters are a decoder's output nu (b, *t).

    All elements of x are independent given nu. A likelihood is a module, so that one with a learned
    scale can be a part of the model and be trained and stored with it.

    Attributes
    ----------
    natural : bool
        Whether the output is a natural parameter of an exponential family. Then the curvature of
        -log p(x | nu) is the Fisher information whatever the data.
    """

    natural: ClassVar[bool] = False

    @abstractmethod
    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """Return log p(x | nu), shape (b,), for data (b, *s) and outputs (b, *t)."""

    @abstractmethod
    def fisher_product(self, output: Tensor, vectors: Tensor) -> Tensor:
        """Multiply vectors (b, k, *t) with the Fisher information G of the output.

        G = E[-d^2 log p(x | nu) / d nu^2] under x ~ p(x | nu).
        """

    @abstractmethod
    def sample(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw data (b, *s) from p(x | nu)."""

    @abstractmethod
    def mean(self, output: Tensor) -> Tensor:
        """Return E[x | nu], shape (b, *s); for classes, their probabilities."""

    def data_shape(self, output_shape: Sequence[int]) -> torch.Size:
        """Return the shape (*s) of one sample of data whose output has shape (*t)."""
        return torch.Size(output_shape)

    def score(self, x: Tensor, output: Tensor) -> Tensor:
        """Return d log p(x | nu) / d nu, shape (b, *t)."""
        gradient: Tensor = torch.func.grad(lambda nu: self.log_prob(x, nu).sum())(output)
        return gradient

    def curvature_product(self, x: Tensor, output: Tensor, vectors: Tensor) -> Tensor:
        """Multiply vectors (b, k, *t) with H = -d^2 log p(x | nu) / d nu^2 at the data.

        The Fisher information where the output is a natural parameter; otherwise it may be
        indefinite.
        """
        if self.natural:
            return self.fisher_product(output, vectors)

        def product(vector: Tensor) -> Tensor:
            push: Tensor = torch.func.jvp(lambda nu: self.score(x, nu), (output,), (vector,))[1]
            return -push

        return torch.func.vmap(product, in_dims=1, out_dims=1)(vectors)

    def check_data(self, x: object, output_shape: Sequence[int], z: Tensor) -> None:
        """Refuse data that do not fit latents z (b, d) and outputs of shape (b, *t).

        Raises
        ------
        ArgumentError
            If the shape is another, or values are not finite or outside the likelihood's range.
        ArgumentTypeError
            If x is not a tensor with the dtype and device of z.
        """
        self._check_type(x, z)
        assert isinstance(x, Tensor)
        expected = (z.shape[0], *self.data_shape(output_shape))
        if tuple(x.shape) != expected:
            raise ArgumentError(
                f"x must have shape {expected} to go with z of shape {tuple(z.shape)} and outputs "
                f"of shape {tuple(output_shape)}, got {tuple(x.shape)}"
            )
        self._check_values(x)

    def _check_type(self, x: object, z: Tensor) -> None:
        check_tensor("x", x)
        assert isinstance(x, Tensor)
        if x.dtype != z.dtype:
            raise ArgumentTypeError(f"x must have the dtype of z, {z.dtype}, got {x.dtype}")
        check_same_device("x", x, "z", z)

    def _check_values(self, x: Tensor) -> None:
        check_finite("x", x)


class Normal(Likelihood):
    """x ~ N(nu, sigma^2 I), with one scale sigma for all elements.

    Parameters
    ----------
    scale : float or Tensor with one element
        sigma > 0. A tensor is used as it is, with its gradient.
    learned : bool
        Make log sigma a parameter of the module, `log_scale`, that starts at log(scale).
    """

    natural = True

    def __init__(self, scale: float | Tensor = 1.0, learned: bool = False) -> None:
        super().__init__()
        if not isinstance(scale, Tensor):
            check_number("scale", scale, 0)
        value = torch.as_tensor(scale)
        if value.is_complex():
            raise ArgumentTypeError(f"scale must be real, got a tensor of {value.dtype}")
        if value.numel() != 1:
            raise ArgumentError(f"scale must be one number, got shape {tuple(value.shape)}")
        check_positive("scale", value)
        self._scale: float | Tensor | None = scale
        self.log_scale: nn.Parameter | None = None
        if learned:
            self._scale = None
            self.log_scale = nn.Parameter(value.detach().reshape(()).log())

    def scale(self, like: Tensor) -> Tensor:
        """Return sigma, shape (), with the dtype and device of a tensor."""
        value = self._scale if self.log_scale is None else self.log_scale.exp()
        return torch.as_tensor(value, dtype=like.dtype, device=like.device).reshape(())

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """Return -1/2 |x - nu|^2 / sigma^2 - m log sigma - m/2 log 2 pi."""
        scale = self.scale(output)
        residual = ((x - output) / scale).flatten(1)
        constant = _LOG_TWO_PI + 2 * scale.log()
        return -0.5 * (residual.square().sum(1) + residual.shape[1] * constant)

    def fisher_product(self, output: Tensor, vectors: Tensor) -> Tensor:
        """Return v / sigma^2."""
        return vectors / self.scale(output).square()

    def sample(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw nu + sigma e, with e from N(0, I)."""
        noise = torch.randn(
            output.shape, generator=generator, dtype=output.dtype, device=output.device
        )
        return output + self.scale(output) * noise

    def mean(self, output: Tensor) -> Tensor:
        """Return nu."""
        return output


class Bernoulli(Likelihood):
    """x ~ Bernoulli(p) element by element, with logits nu = log(p / (1 - p)).

    Grey values of x between 0 and 1 are taken as in the customary cross entropy; then p(x | nu) is
    not normalised, and neither is an evidence made of it.
    """

    natural = True

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """Return the sum of x nu - log(1 + exp nu), without cancellation."""
        log_sigmoid = nn.functional.logsigmoid
        return (x * log_sigmoid(output) + (1 - x) * log_sigmoid(-output)).flatten(1).sum(1)

    def fisher_product(self, output: Tensor, vectors: Tensor) -> Tensor:
        """Return p (1 - p) v."""
        return (output.sigmoid() * (-output).sigmoid())[:, None] * vectors

    def sample(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw zeros and ones."""
        return torch.bernoulli(output.sigmoid(), generator=generator)

    def mean(self, output: Tensor) -> Tensor:
        """Return p."""
        return output.sigmoid()

    def _check_values(self, x: Tensor) -> None:
        check_finite("x", x)
        if bool(((x < 0) | (x > 1)).any()):
            raise ArgumentError(
                f"x must lie between 0 and 1 for a Bernoulli likelihood, but ranges from "
                f"{x.min():g} to {x.max():g}"
            )


class Categorical(Likelihood):
    """x one of c classes, element by element, with logits nu (b, c, *s) for x (b, *s) of int64."""

    natural = True

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """Return the sum of the log probabilities of the classes x."""
        chosen = output.log_softmax(1).gather(1, x[:, None])
        return chosen.flatten(1).sum(1)

    def fisher_product(self, output: Tensor, vectors: Tensor) -> Tensor:
        """Return p v - p (p^T v), with p the probabilities of the classes."""
        weighted = output.softmax(1)[:, None] * vectors
        return weighted - output.softmax(1)[:, None] * weighted.sum(2, keepdim=True)

    def sample(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw classes."""
        probabilities = output.softmax(1).movedim(1, -1)
        drawn = torch.multinomial(probabilities.flatten(0, -2), 1, generator=generator)
        return drawn.reshape(probabilities.shape[:-1])

    def mean(self, output: Tensor) -> Tensor:
        """Return the probabilities of the classes, shape (b, c, *s)."""
        return output.softmax(1)

    def data_shape(self, output_shape: Sequence[int]) -> torch.Size:
        """Return (*s) for outputs (c, *s)."""
        return torch.Size(output_shape[1:])

    def check_data(self, x: object, output_shape: Sequence[int], z: Tensor) -> None:
        """Refuse data that do not fit (see `Likelihood.check_data`) or are no classes."""
        super().check_data(x, output_shape, z)
        assert isinstance(x, Tensor)
        if bool(((x < 0) | (x >= output_shape[0])).any()):
            raise ArgumentError(
                f"x must hold classes from 0 to {output_shape[0] - 1}, as the decoder has "
                f"{output_shape[0]} logits, but ranges from {x.min()} to {x.max()}"
            )

    def _check_type(self, x: object, z: Tensor) -> None:
        if not (isinstance(x, Tensor) and x.dtype == torch.int64):
            kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise ArgumentTypeError(
                f"x must be a tensor of int64 for a categorical likelihood, got {kind}"
            )
        check_same_device("x", x, "z", z)


class Poisson(Likelihood):
    """x ~ Poisson(lambda) element by element, with log rates nu = log lambda."""

    natural = True

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """Return the sum of x nu - exp nu - log x!."""
        return (x * output - output.exp() - torch.lgamma(x + 1)).flatten(1).sum(1)

    def fisher_product(self, output: Tensor, vectors: Tensor) -> Tensor:
        """Return lambda v."""
        return output.exp()[:, None] * vectors

    def sample(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw counts."""
        return torch.poisson(output.exp(), generator=generator)

    def mean(self, output: Tensor) -> Tensor:
        """Return lambda."""
        return output.exp()

    def _check_values(self, x: Tensor) -> None:
        check_finite("x", x)
        if bool(((x < 0) | (x != x.round())).any()):
            raise ArgumentError("x must hold counts (0, 1, 2 ...) for a Poisson likelihood")


class MeanVarianceNormal(Likelihood):
    """x ~ N(mu, exp(l)) element by element; outputs (b, 2, *s) hold mu and the log variance l."""

    def log_prob(self, x: Tensor, output: Tensor) -> Tensor:
        """Return the sum of -1/2 ((x - mu)^2 exp(-l) + l + log 2 pi)."""
        mean, log_variance = output.unbind(1)
        terms = (x - mean).square() * (-log_variance).exp() + log_variance + _LOG_TWO_PI
        return -0.5 * terms.flatten(1).sum(1)

    def fisher_product(self, output: Tensor, vectors: Tensor) -> Tensor:
        """Return exp(-l) v for the means' part and v / 2 for the log variances'."""
        precision = (-output[:, 1]).exp()
        information = torch.stack([precision, torch.full_like(precision, 0.5)], 1)
        return information[:, None] * vectors

    def sample(self, output: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw mu + exp(l / 2) e, with e from N(0, I)."""
        mean, log_variance = output.unbind(1)
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
        return mean + (0.5 * log_variance).exp() * noise

    def mean(self, output: Tensor) -> Tensor:
        """Return mu."""
        return output[:, 0]

    def data_shape(self, output_shape: Sequence[int]) -> torch.Size:
        """Return (*s) for outputs (2, *s)."""
        if len(output_shape) < 2 or output_shape[0] != 2:
            raise ArgumentError(
                "decoder must return outputs (b, 2, ...), means and log variances, for a "
                f"MeanVarianceNormal likelihood, got {('b', *output_shape)}"
            )
        return torch.Size(output_shape[1:])


def likelihood_or_unit_normal(likelihood: Likelihood | None) -> Likelihood:
    """Return the likelihood, or N(nu, I) if none is given.

    Raises
    ------
    ArgumentTypeError
        If it is no `Likelihood`.
    """
    if likelihood is None:
        return Normal()
    if not isinstance(likelihood, Likelihood):
        raise ArgumentTypeError(f"likelihood must be a Likelihood, got {type(likelihood).__name__}")
    return likelihood
