"""Every public function says which argument is wrong, and how, whatever else it does."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import vaetheory as vt
from vaetheory.errors import VaetheoryError
from vaetheory.joint import joint_density
from vaetheory.log_determinants import (
    jacobian_logdet,
    quadratic_form,
    sample_inverse_by_solving,
)

BATCH, LATENT, DATA = 4, 2, 3
WEIGHT = torch.linspace(-1, 1, LATENT * DATA, dtype=torch.float64).reshape(LATENT, DATA)


def decoder(z: Tensor) -> Tensor:
    return z @ WEIGHT.to(z.dtype)


def arguments() -> dict[str, Any]:
    """What suits all of the functions below."""
    return {
        "decoder": decoder,
        "x": torch.ones(BATCH, DATA, dtype=torch.float64),
        "latent": torch.ones(BATCH, LATENT, dtype=torch.float64),
        "covariance": vt.DiagonalCovariance(torch.ones(BATCH, LATENT, dtype=torch.float64)),
        "likelihood": vt.Normal(),
        "rows": None,
    }


AT_LATENTS: dict[str, Callable[..., object]] = {
    "find_map": vt.find_map,
    "log_evidence": vt.log_evidence,
    "importance_evidence": vt.importance_evidence,
    "joint_density": joint_density,
    "DecoderMetric": lambda decoder, x, z, likelihood, rows: vt.DecoderMetric(
        decoder, z, likelihood, x, rows=rows
    ),
}
OF_POSTERIORS: dict[str, Callable[..., object]] = {
    "elbo": vt.elbo,
    "three-term": lambda *given, rows: vt.elbo(*given, form="three-term", rows=rows),
    "taylor_elbo": vt.taylor_elbo,
    "iwae": lambda *given, rows: vt.iwae(*given, samples=2, rows=rows),
    "bilbo": vt.bilbo,
}


def call(function: str, **changed: object) -> object:
    """Call with good arguments but for those that are given; a name of "latent" is z or mean."""
    given = arguments() | changed
    if function in OF_POSTERIORS:
        return OF_POSTERIORS[function](
            given["decoder"],
            given["x"],
            given["latent"],
            given["covariance"],
            given["likelihood"],
            rows=given["rows"],
        )
    return AT_LATENTS[function](
        given["decoder"], given["x"], given["latent"], given["likelihood"], rows=given["rows"]
    )


def nan(*shape: int) -> Tensor:
    return torch.full(shape, torch.nan, dtype=torch.float64)


BOTH = [*AT_LATENTS, *OF_POSTERIORS]

VALUES: list[tuple[str, object, str]] = [
    ("latent", torch.ones(LATENT).double(), r"{latent} must have shape \(b, d\), got \(2,\)"),
    ("latent", nan(BATCH, LATENT), "{latent} must be finite, but contains NaN"),
    ("latent", nan(BATCH, LATENT) * 0 + torch.inf, "{latent} must be finite"),
    ("latent", torch.ones(0, LATENT).double(), r"{latent} must have shape \(b, d\), got \(0, 2\)"),
    ("x", torch.ones(BATCH, 7).double(), r"x must have shape \(4, 3\)"),
    ("x", torch.ones(5, DATA).double(), r"x must have shape \(4, 3\)"),
    ("x", nan(BATCH, DATA), "x must be finite, but contains NaN"),
    ("decoder", lambda z: z.sum(), "decoder must map latents"),
    ("decoder", lambda z: z.sum(0), "decoder must map"),
    ("decoder", lambda z: z.flatten(), "decoder must map"),
    ("decoder", nn.Flatten(0, 1), "decoder must map"),
    ("decoder", lambda z: decoder(z) * torch.nan, "decoder's output must be finite, but contains"),
    ("decoder", nn.Linear(7, 3).double(), "decoder must take a batch of latents"),
    ("rows", 0, "rows must be at least 1, got 0"),
]
TYPES: list[tuple[str, object, str]] = [
    ("latent", [[1.0, 1.0]], "{latent} must be a torch.Tensor, got list"),
    ("latent", torch.ones(BATCH, LATENT).long(), "{latent} must have dtype float32 or float64"),
    ("x", [[1.0]], "x must be a torch.Tensor, got list"),
    ("x", torch.ones(BATCH, DATA), "x must have the dtype of "),
    ("x", torch.ones(BATCH, DATA, device="meta").double(), "x must be on the device of "),
    ("decoder", "decoder", "decoder must be callable, got str"),
    ("decoder", lambda z: (decoder(z), z), "decoder must return one tensor, got tuple"),
    ("decoder", lambda z: decoder(z).float(), "decoder's output must have the dtype of "),
    ("decoder", lambda z: decoder(z).to("meta"), "decoder's output must be on the device of "),
    ("likelihood", "normal", "likelihood must be a Likelihood, got str"),
    ("rows", 2.5, "rows must be an int, got float"),
]


def check(function: str, error: type[Exception], name: str, value: object, message: str) -> None:
    latent = "mean" if function in OF_POSTERIORS else "z"
    with pytest.raises(error, match=message.format(latent=latent)):
        call(function, **{name: value})


@pytest.mark.parametrize("case", range(len(VALUES)))
@pytest.mark.parametrize("function", BOTH)
def test_values(function: str, case: int) -> None:
    check(function, vt.ArgumentError, *VALUES[case])


@pytest.mark.parametrize("case", range(len(TYPES)))
@pytest.mark.parametrize("function", BOTH)
def test_types(function: str, case: int) -> None:
    check(function, vt.ArgumentTypeError, *TYPES[case])


@pytest.mark.parametrize("function", BOTH)
def test_good_arguments_are_good(function: str) -> None:
    call(function)


@pytest.mark.parametrize("function", [*OF_POSTERIORS, "kl_divergence", "fitted_prior"])
def test_covariances(function: str) -> None:
    def of(covariance: object) -> object:
        if function in OF_POSTERIORS:
            return call(function, covariance=covariance)
        given: Any = covariance
        return getattr(vt, function)(arguments()["latent"], given)

    with pytest.raises(vt.ArgumentTypeError, match="covariance must be a Covariance, got Tensor"):
        of(torch.eye(2))
    with pytest.raises(vt.ArgumentTypeError, match="covariance must have the dtype of mean"):
        of(vt.DiagonalCovariance(torch.ones(BATCH, LATENT)))
    with pytest.raises(vt.ArgumentTypeError, match="covariance must be on the device of mean"):
        elsewhere = vt.DiagonalCovariance(torch.ones(BATCH, LATENT).double())
        object.__setattr__(elsewhere, "variance", elsewhere.variance.to("meta"))
        of(elsewhere)
    with pytest.raises(vt.ArgumentError, match="covariance must have batch 4 or 1 and dimension 2"):
        of(vt.DiagonalCovariance(torch.ones(3, LATENT).double()))
    with pytest.raises(vt.ArgumentError, match="covariance must have batch 4 or 1 and dimension 2"):
        of(vt.DiagonalCovariance(torch.ones(BATCH, 3).double()))


INDEFINITE = torch.tensor([[[1.0, 2.0], [2.0, 1.0]]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: vt.FullCovariance.from_matrix(INDEFINITE), "matrix must be positive definite"),
        (lambda: vt.FullCovariance.from_precision(INDEFINITE), "precision must be positive def"),
        (lambda: vt.FullCovariance(-torch.eye(2)[None]), "factor"),
        (lambda: vt.DiagonalCovariance(-torch.ones(1, 2)), "variance must be positive"),
        (lambda: vt.DiagonalCovariance(torch.zeros(1, 2)), "variance must be positive"),
        (lambda: vt.ScalarCovariance(torch.tensor([-1.0]), 2), "variance must be positive"),
        (lambda: vt.LowRankCovariance(-torch.ones(1, 2), torch.ones(1, 2, 1)), "variance must be"),
        (lambda: vt.optimal_covariance(INDEFINITE), "precision must be positive definite"),
        (lambda: vt.constant_covariance(INDEFINITE), "precision must be positive definite"),
        (lambda: vt.optimal_diagonal_covariance(INDEFINITE), "precision must be positive"),
        (lambda: vt.optimal_scalar_covariance(INDEFINITE), "precision must be positive"),
        (lambda: vt.MatrixOperator(INDEFINITE.triu()), "matrix must be symmetric"),
    ],
)
def test_what_is_not_positive_definite(make: Callable[[], object], message: str) -> None:
    with pytest.raises(vt.ArgumentError, match=message):
        make()


@pytest.mark.parametrize(
    "function",
    [
        vt.optimal_covariance,
        vt.optimal_diagonal_covariance,
        vt.optimal_scalar_covariance,
        vt.constant_covariance,
    ],
)
def test_precisions(function: Callable[[Any], object]) -> None:
    with pytest.raises(vt.ArgumentError, match=r"precision must have shape \(b, n, n\)"):
        function(torch.eye(2))
    with pytest.raises(vt.ArgumentError, match="precision must be finite, but contains NaN"):
        function(INDEFINITE * torch.nan)
    with pytest.raises(vt.ArgumentError, match="precision must be symmetric"):
        function(INDEFINITE.triu())
    with pytest.raises(vt.ArgumentTypeError, match=r"precision must be a torch.Tensor, got list"):
        function([[1.0]])


def test_a_start_without_density() -> None:
    x = torch.ones(1, 1, dtype=torch.float64)
    with pytest.raises(vt.ArgumentError, match=r"log p\(x, z\) at z must be finite"):
        vt.find_map(lambda z: 1e4 * z, x, x, vt.Poisson())


A = vt.MatrixOperator(torch.eye(40, dtype=torch.float64)[None])
ZERO = torch.zeros(1, 1)
TEXT: Any = "1"
NOTHING: Any = None
BASIS: Any = torch.eye(4)
as_numpy: Any = torch.Tensor.numpy


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vt.logdet(A, 16, floor=TEXT), "floor must be a number, got str"),
        (lambda: vt.logdet(A, floor=TEXT), "floor must be a number, got str"),
        (lambda: vt.warm_logdet(A, 16, floor=TEXT), "floor must be a number, got str"),
        (lambda: vt.warm_logdet(A, 16, staleness=TEXT), "staleness must be a number, got str"),
        (lambda: vt.warm_logdet(A, 16, BASIS), "basis must be a RitzBasis, got Tensor"),
        (
            lambda: vt.find_map(lambda z: z, ZERO, ZERO, tolerance=TEXT),
            "tolerance must be a number",
        ),
        (lambda: vt.find_map(lambda z: z, ZERO, ZERO, damping=TEXT), "damping must be a number"),
        (lambda: vt.Normal(TEXT), "scale must be a number, got str"),
        (lambda: vt.HeldPrior(2, TEXT), "decay must be a number, got str"),
        (lambda: vt.VariationalLogDeterminant(1, 2, variance=TEXT), "variance must be a number"),
        (
            lambda: vt.VariationalLogDeterminant(1, 40).natural_step(A, TEXT),
            "rate must be a number, got str",
        ),
        (
            lambda: vt.log_evidence(lambda z: z, ZERO, ZERO, determinant=lambda metric: NOTHING),
            "determinant must return an object with value, standard_error and products",
        ),
        (lambda: vt.log_evidence(as_numpy, ZERO, ZERO), "decoder must return one tenso"),
    ],
)
def test_foreign_types(call: Callable[[], object], message: str) -> None:
    with pytest.raises(vt.ArgumentTypeError, match=message):
        call()


def test_products_and_rank() -> None:
    with pytest.raises(
        vt.ArgumentError, match=r"products must be at least rank \+ 6, got 16 and 12"
    ):
        vt.warm_logdet(A, 16, rank=12)


@pytest.mark.parametrize("layer", [torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(8)])
def test_layers_in_training_mode(layer: torch.nn.Module) -> None:
    torch.manual_seed(0)
    decoder = torch.nn.Sequential(torch.nn.Linear(2, 8), layer)
    x, z = torch.randn(3, 8), torch.randn(3, 2)
    with pytest.raises(
        vt.ArgumentError, match="decoder must map each latent by itself and without"
    ):
        vt.log_evidence(decoder, x, z)
    vt.log_evidence(decoder.eval(), x, z)


def jacobian() -> vt.Jacobian:
    return vt.Jacobian(decoder, arguments()["latent"])


MODEL: tuple[Any, ...] = (decoder, arguments()["x"], arguments()["latent"])
REALS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "jacobian_logdet": ("floor", lambda value: jacobian_logdet(jacobian(), floor=value)),
    "metric": ("prior_precision", lambda c: vt.DecoderMetric(*MODEL[::2], prior_precision=c)),
    "form": ("prior_precision", lambda c: quadratic_form(jacobian(), MODEL[2][:, None], c)),
    "solving": (
        "tolerance",
        lambda value: sample_inverse_by_solving(jacobian(), 1, tolerance=value),
    ),
}


@pytest.mark.parametrize("function", REALS)
def test_real_numbers(function: str) -> None:
    name, take = REALS[function]
    for value in ("1", [1.0], 1j, True):
        kind = type(value).__name__
        with pytest.raises(vt.ArgumentTypeError, match=f"{name} must be a number, got {kind}"):
            take(value)
    with pytest.raises(vt.ArgumentError, match=f"{name} must be .*, got nan"):
        take(math.nan)


def test_tolerances_below_zero() -> None:
    with pytest.raises(vt.ArgumentError, match="tolerance must be at least 0 and finite, got -1"):
        sample_inverse_by_solving(jacobian(), 1, tolerance=-1)


def test_scales_of_complex_numbers() -> None:
    with pytest.raises(vt.ArgumentTypeError, match="scale must be real, got a tensor of "):
        vt.Normal(torch.tensor(1j))


@dataclass
class Estimate:
    """What an estimator of log-determinants may return, good or bad."""

    value: object = field(default_factory=lambda: torch.zeros(BATCH, dtype=torch.float64))
    standard_error: object = None
    products: object = 1


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (torch.zeros(BATCH), "determinant must return an object .* got Tensor"),
        (Estimate(value=0.0), "determinant's value must be a torch.Tensor, got float"),
        (Estimate(standard_error=0.1), "determinant's standard_error must be a torch.Tensor"),
        (Estimate(products="1"), "determinant's products must be an int, got str"),
    ],
)
def test_what_a_determinant_returns(returned: Any, message: str) -> None:
    with pytest.raises(vt.ArgumentTypeError, match=message):
        vt.log_evidence(*MODEL, determinant=lambda _: returned)
    vt.log_evidence(*MODEL, determinant=lambda _: Estimate())  # type: ignore[arg-type, return-value]


def test_decoders_that_leave_torch() -> None:
    def array(z: Tensor) -> Any:
        return z.detach().numpy() @ WEIGHT.numpy()

    def there_and_back(z: Tensor) -> Tensor:
        return torch.as_tensor(array(z))

    x, z = MODEL[1:]
    shape: dict[str, Any] = {"output_shape": (DATA,)}
    for wrong in (array, there_and_back):
        for take in (
            lambda wrong: vt.find_map(wrong, x, z),
            lambda wrong: vt.log_evidence(wrong, x, z),
            lambda wrong: vt.Jacobian(wrong, z).dense(),
            lambda wrong: vt.Jacobian(wrong, z, **shape).dense(),
            lambda wrong: vt.DecoderMetric(wrong, z, **shape).dense(),
        ):
            with pytest.raises(VaetheoryError, match=r"^decoder "):
                take(wrong)
    with pytest.raises(vt.ArgumentError, match="decoder and likelihood must be made of operations"):
        vt.Jacobian(array, z, output_shape=(DATA,)).output()
