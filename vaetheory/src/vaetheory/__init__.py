"""The theory of variational auto-encoders as plain functions on PyTorch tensors.

Objectives, the log evidence of data and what a posterior loses of it, traces and log-determinants
of matrices that are known by their products, and two small models.
"""

from importlib.metadata import version as _version

from vaetheory.bilbo import bilbo, bilbo_bias, fitted_prior
from vaetheory.elbo import elbo, taylor_elbo
from vaetheory.fold_prior import fold_covariance, fold_prior
from vaetheory.held_prior import HeldPrior
from vaetheory.iwae import iwae
from vaetheory.kl_divergence import kl_divergence
from vaetheory.models import VAE, ConstantVarianceVAE

__version__ = _version("vaetheory")

__all__ = [
    "VAE",
    "ConstantVarianceVAE",
    "HeldPrior",
    "__version__",
    "bilbo",
    "bilbo_bias",
    "elbo",
    "fitted_prior",
    "fold_covariance",
    "fold_prior",
    "iwae",
    "kl_divergence",
    "taylor_elbo",
]
