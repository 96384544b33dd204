"""The theory of variational auto-encoders as plain functions on PyTorch tensors.

This release holds only the package itself. To come: Jacobians as operators, posterior covariances,
trace and log-determinant estimators, objectives, and the log evidence at a point.
"""

from importlib.metadata import version as _version

__version__ = _version("vaetheory")

__all__ = ["__version__"]
