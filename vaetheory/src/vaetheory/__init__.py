"""The theory of variational auto-encoders as plain functions on PyTorch tensors.

Objectives, the log evidence of data and what a posterior loses of it, traces and log-determinants
of matrices that are known by their products, and two small models.
"""

from importlib.metadata import version as _version

from vaetheory.bilbo import bilbo, bilbo_bias, fitted_prior
from vaetheory.covariance import (
    DiagonalCovariance,
    FullCovariance,
    LowRankCovariance,
    ScalarCovariance,
)
from vaetheory.elbo import elbo, taylor_elbo
from vaetheory.errors import ArgumentError, ArgumentTypeError, ConvergenceWarning, VaetheoryError
from vaetheory.evidence import log_evidence
from vaetheory.fold_prior import fold_covariance, fold_prior
from vaetheory.gap import evidence_gap
from vaetheory.held_prior import HeldPrior
from vaetheory.importance import importance_evidence
from vaetheory.iwae import iwae
from vaetheory.jacobian import Jacobian
from vaetheory.kl_divergence import kl_divergence
from vaetheory.likelihoods import Bernoulli, Categorical, MeanVarianceNormal, Normal, Poisson
from vaetheory.log_determinants import (
    LogDeterminant,
    VariationalLogDeterminant,
    jacobian_logdet,
    logdet,
    logdet_surrogate,
    warm_logdet,
)
from vaetheory.map_solver import find_map
from vaetheory.metric import DecoderMetric
from vaetheory.models import VAE, ConstantVarianceVAE, FittedPriorVAE
from vaetheory.operators import FunctionOperator, MatrixOperator
from vaetheory.optimal_covariance import (
    constant_covariance,
    optimal_covariance,
    optimal_diagonal_covariance,
    optimal_scalar_covariance,
)
from vaetheory.trace import covariance_trace, hutch_plus_plus, hutchinson, xtrace

__version__ = _version("vaetheory")

__all__ = [
    "VAE",
    "ArgumentError",
    "ArgumentTypeError",
    "Bernoulli",
    "Categorical",
    "ConstantVarianceVAE",
    "ConvergenceWarning",
    "DecoderMetric",
    "DiagonalCovariance",
    "FittedPriorVAE",
    "FullCovariance",
    "FunctionOperator",
    "HeldPrior",
    "Jacobian",
    "LogDeterminant",
    "LowRankCovariance",
    "MatrixOperator",
    "MeanVarianceNormal",
    "Normal",
    "Poisson",
    "ScalarCovariance",
    "VaetheoryError",
    "VariationalLogDeterminant",
    "__version__",
    "bilbo",
    "bilbo_bias",
    "constant_covariance",
    "covariance_trace",
    "elbo",
    "evidence_gap",
    "find_map",
    "fitted_prior",
    "fold_covariance",
    "fold_prior",
    "hutch_plus_plus",
    "hutchinson",
    "importance_evidence",
    "iwae",
    "jacobian_logdet",
    "kl_divergence",
    "log_evidence",
    "logdet",
    "logdet_surrogate",
    "optimal_covariance",
    "optimal_diagonal_covariance",
    "optimal_scalar_covariance",
    "taylor_elbo",
    "warm_logdet",
    "xtrace",
]
