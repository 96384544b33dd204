"""Log-determinants from matrix-vector products."""

from vaetheory.log_determinants.estimate import logdet
from vaetheory.log_determinants.exact import exact_logdet
from vaetheory.log_determinants.jacobian_determinant import jacobian_logdet
from vaetheory.log_determinants.krylov import krylov_logdet
from vaetheory.log_determinants.result import LogDeterminant
from vaetheory.log_determinants.surrogate import (
    attach_gradient,
    logdet_surrogate,
    quadratic_form,
    sample_inverse,
    sample_inverse_by_solving,
)
from vaetheory.log_determinants.variational import VariationalBound, VariationalLogDeterminant
from vaetheory.log_determinants.warm_start import RitzBasis, WarmLogDeterminant, warm_logdet

__all__ = [
    "LogDeterminant",
    "RitzBasis",
    "VariationalBound",
    "VariationalLogDeterminant",
    "WarmLogDeterminant",
    "attach_gradient",
    "exact_logdet",
    "jacobian_logdet",
    "krylov_logdet",
    "logdet",
    "logdet_surrogate",
    "quadratic_form",
    "sample_inverse",
    "sample_inverse_by_solving",
    "warm_logdet",
]
