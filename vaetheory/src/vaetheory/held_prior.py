"""A prior that follows the posteriors of past batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from vaetheory.arguments import check_alike, check_count, check_number
from vaetheory.bilbo import fitted_prior
from vaetheory.covariance import Covariance, FullCovariance
from vaetheory.errors import ArgumentError
from vaetheory.kl_divergence import kl_divergence
from vaetheory.posterior import check_posterior

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


_MANY_UPDATES: Final = 2**40
"""After these the first batch has no weight, whatever the decay."""


class HeldPrior(nn.Module):
    """The prior N(0, P0), with P0 a running average of ``Sigma + mu mu^T`` without gradient.

    The ELBO under N(0, P0) is a lower bound on the log evidence of the model with that prior,
    whatever P0 is, as long as it does not depend on the data of the bound. So in training mode a
    call first gives the divergence from P0 as the batches before have left it, and only then takes
    in the present batch. Where P0 equals the batch's `fitted_prior` the gradient is that of
    `bilbo`, because P is the minimum. In evaluation mode P0 stays as it is.

    Parameters
    ----------
    size : int
        The dimension d. Before the first update P0 is the identity.
    decay : float
        Weight between 0 and 1 of the past at each update. The first updates are averaged evenly, so
        that the initial identity has no part in it.

    Attributes
    ----------
    second_moment : Tensor, shape (d, d)
        P0; a buffer, stored with the module's state.
    updates : Tensor, shape ()
        Number of updates so far; a buffer.

    References
    ----------
    Fyffe, arXiv:1912.10309, for the objective; the running average is that of batch normalisation.
    """

    second_moment: Tensor
    updates: Tensor

    def __init__(self, size: int, decay: float = 0.99) -> None:
        super().__init__()
        check_count("size", size)
        check_number("decay", decay, 0, 1, may_be_low=True)
        self.decay = decay
        self.register_buffer("second_moment", torch.eye(size))
        self.register_buffer("updates", torch.tensor(0))

    def covariance(self) -> FullCovariance:
        """Return P0, with a batch of 1: the argument `prior` of `elbo` and others."""
        return FullCovariance.from_matrix(self.second_moment[None])

    def forward(
        self, mean: Tensor, covariance: Covariance, group: ProcessGroup | None = None
    ) -> Tensor:
        """Return KL(N(mu, Sigma) || N(0, P0)), shape (b,); in training mode, update P0 after that.

        Parameters
        ----------
        mean : Tensor, shape (b, d)
            The means mu.
        covariance : Covariance, batch b or 1
            The covariances Sigma.
        group : torch.distributed.ProcessGroup, optional
            The processes over whose batches the update averages.
        """
        divergence = kl_divergence(mean, covariance, self.covariance())
        if self.training:
            self.update(mean, covariance, group=group)
        return divergence

    @torch.no_grad()
    def update(
        self, mean: Tensor, covariance: Covariance, *, group: ProcessGroup | None = None
    ) -> None:
        """Take a batch into the running average."""
        self._check_size(mean, covariance)
        self.take_in(fitted_prior(mean, covariance, group=group))

    @torch.no_grad()
    def take_in(self, prior: Covariance) -> None:
        """Take the `fitted_prior` of a batch into the running average."""
        moment = prior.dense()[0]
        self.updates += 1
        # The weight of the newest of n terms in the normalised geometric average; in double
        # precision, as decay may be close to 1.
        weight = (1 - self.decay) / (1 - self.decay ** self.updates.double())
        self.second_moment.lerp_(moment, weight.to(moment.dtype))

    @torch.no_grad()
    def fit(self, mean: Tensor, covariance: Covariance) -> None:
        """Set P0 to the `fitted_prior` of the means (n, d) of a whole data set.

        Later updates start from it, each with the weight 1 - decay.
        """
        self._check_size(mean, covariance)
        self.settle(fitted_prior(mean, covariance).dense()[0])

    @torch.no_grad()
    def settle(self, second_moment: Tensor) -> None:
        """Set P0 to a matrix (d, d), as if it were the average of very many batches."""
        self.second_moment.copy_(second_moment)
        self.updates.fill_(_MANY_UPDATES)

    def _check_size(self, mean: Tensor, covariance: Covariance) -> None:
        check_posterior(mean, covariance)
        check_alike("mean", mean, "second_moment", self.second_moment)
        if mean.shape[1] != len(self.second_moment):
            raise ArgumentError(
                f"mean must have the dimension {len(self.second_moment)} of the prior, got "
                f"{mean.shape[1]}"
            )
