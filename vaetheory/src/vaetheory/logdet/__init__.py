"""Log-determinants from matrix-vector products."""

from vaetheory.logdet.estimate import logdet
from vaetheory.logdet.exact import exact_logdet
from vaetheory.logdet.jacobian_determinant import jacobian_logdet
from vaetheory.logdet.krylov import krylov_logdet
from vaetheory.logdet.result import LogDeterminant
from vaetheory.logdet.surrogate import (
    attach_gradient,
    logdet_surrogate,
    quadratic_form,
    sample_inverse,
    sample_inverse_by_solving,
)
from vaetheory.logdet.variational import VariationalBound, VariationalLogDeterminant
from vaetheory.logdet.warm_start import RitzBasis, WarmLogDeterminant, warm_logdet

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
