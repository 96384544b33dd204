"""The variational bound: it holds, and every rule reaches its family's optimum."""

import math

import pytest
import torch
from decoders import Affine, normal
from spectra import random_spd
from torch import Tensor

from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.jacobian import Jacobian
from vaetheory.log_determinants import VariationalLogDeterminant, quadratic_form
from vaetheory.metric import DecoderMetric
from vaetheory.operators import MatrixOperator

BATCH, SIZE = 2, 5


@pytest.fixture
def matrix(generator: torch.Generator) -> Tensor:
    return 3 * random_spd(BATCH, SIZE, generator)


@pytest.fixture
def operator(matrix: Tensor) -> MatrixOperator:
    return MatrixOperator(matrix)


def make(matrix: Tensor, family: str, variance: float = 1.0) -> VariationalLogDeterminant:
    return VariationalLogDeterminant(
        BATCH,
        SIZE,
        family,  # type: ignore[arg-type]
        rank=3 if family == "low-rank" else None,
        variance=variance,
        dtype=matrix.dtype,
        device=matrix.device,
        generator=torch.Generator(matrix.device).manual_seed(4),
    )


def exact_noise(matrix: Tensor) -> Tensor:
    """Vectors with a mean outer product of exactly I."""
    identity = torch.eye(SIZE, dtype=matrix.dtype, device=matrix.device)
    return (SIZE**0.5 * identity).expand(BATCH, -1, -1)


def exact_bound(model: VariationalLogDeterminant, matrix: Tensor) -> Tensor:
    covariance = model.covariance()
    return covariance.product(matrix).diagonal(dim1=1, dim2=2).sum(1) - covariance.logdet() - SIZE


@pytest.mark.parametrize("family", ["diagonal", "low-rank", "cholesky"])
def test_bound_for_any_parameters(
    matrix: Tensor, operator: MatrixOperator, family: str, generator: torch.Generator
) -> None:
    truth = torch.linalg.slogdet(matrix).logabsdet
    for _ in range(10):
        model = make(matrix, family)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(normal(tuple(parameter.shape), generator))
        exact = exact_bound(model, matrix)
        assert (exact >= truth).all()
        estimate = model.bound(operator, 400, generator)
        assert ((estimate.value - exact).abs() < 4 * estimate.standard_error).all()
        assert (estimate.upper > estimate.value).all()


@pytest.mark.parametrize("variance", [1e-4, 0.1, 1e4])
@pytest.mark.parametrize("rule", ["natural_step", "newton_step"])
@pytest.mark.parametrize("family", ["diagonal", "cholesky"])
def test_exact_steps_reach_the_optimum(
    matrix: Tensor, operator: MatrixOperator, family: str, rule: str, variance: float
) -> None:
    model = make(matrix, family, variance)
    for _ in range(60):
        getattr(model, rule)(operator, rate=1.0, noise=exact_noise(matrix))
        assert (torch.linalg.eigvalsh(model.covariance().dense()) > 0).all()
    if family == "diagonal":
        optimum = torch.diag_embed(1 / matrix.diagonal(dim1=1, dim2=2))
    else:
        optimum = matrix.inverse()
        torch.testing.assert_close(
            exact_bound(model, matrix), torch.linalg.slogdet(matrix).logabsdet
        )
    torch.testing.assert_close(model.covariance().dense(), optimum, rtol=1e-8, atol=1e-10)


def test_natural_steps_of_low_rank_plus_diagonal(matrix: Tensor, operator: MatrixOperator) -> None:
    model = make(matrix, "low-rank", 0.1)
    for _ in range(4000):
        model.natural_step(operator, 0.5, noise=exact_noise(matrix))
    # The gradient of F vanishes: (A - Sigma^-1) U = 0 and the diagonal of A - Sigma^-1.
    exact_bound(model, matrix).sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() < 1e-3
    diagonal = make(matrix, "diagonal")
    for _ in range(60):
        diagonal.newton_step(operator, noise=exact_noise(matrix))
    assert (exact_bound(model, matrix) < exact_bound(diagonal, matrix)).all()


@pytest.mark.parametrize("scalars", [False, True])
@pytest.mark.parametrize("family", ["diagonal", "low-rank", "cholesky"])
def test_gradients_are_unbiased(
    matrix: Tensor,
    operator: MatrixOperator,
    family: str,
    scalars: bool,
    generator: torch.Generator,
) -> None:
    model = make(matrix, family, 0.3)
    parameters = list(model.parameters())
    expected = torch.autograd.grad(exact_bound(model, matrix).sum(), parameters)
    draws: list[list[Tensor]] = [[] for _ in expected]
    for _ in range(300):
        model.zero_grad()
        if scalars:
            loss = model.score_loss(
                lambda v: torch.einsum("bki,bij,bkj->bk", v, matrix, v), 20, generator
            )
        else:
            loss = model.loss(operator, 20, generator)
        loss.sum().backward()
        for some, parameter in zip(draws, model.parameters(), strict=True):
            assert parameter.grad is not None
            some.append(parameter.grad.clone())
    for gradient, some in zip(expected, draws, strict=True):
        sample = torch.stack(some)
        error = sample.std(0) / len(some) ** 0.5 + 1e-9
        # 4.5 rather than 4: there are up to fifty entries in two matrices.
        assert ((sample.mean(0) - gradient).abs() < 4.5 * error).all()


@pytest.mark.parametrize("route", ["products", "scalars"])
@pytest.mark.parametrize("family", ["diagonal", "cholesky"])
@pytest.mark.parametrize("rule", ["natural_step", "newton_step"])
def test_noisy_steps_with_falling_rates(
    matrix: Tensor,
    operator: MatrixOperator,
    family: str,
    rule: str,
    route: str,
    generator: torch.Generator,
) -> None:
    model = make(matrix, family)

    def scalars(vectors: Tensor) -> Tensor:
        return (vectors * (vectors @ matrix)).sum(2)

    form = operator if route == "products" else scalars
    for step in range(400):
        getattr(model, rule)(form, rate=1 / (1 + step / 10), probes=32, generator=generator)
        assert (torch.linalg.eigvalsh(model.covariance().dense()) > 0).all()
    optimum = torch.linalg.slogdet(matrix).logabsdet
    if family == "diagonal":
        optimum = matrix.diagonal(dim1=1, dim2=2).log().sum(1)
    bound = exact_bound(model, matrix)
    assert (bound >= optimum - 1e-9).all()
    # Scalars alone are noisier.
    assert (bound < optimum + (0.05 if route == "products" else 0.2)).all()


def test_descent_with_jvps_alone(generator: torch.Generator) -> None:
    decoder = Affine(SIZE, 7, generator)
    z = normal((BATCH, SIZE), generator)
    jacobian = Jacobian(decoder, z)
    matrix = DecoderMetric(decoder, z).dense()
    model = make(matrix, "cholesky", 0.1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.99)
    for _ in range(500):
        optimiser.zero_grad()
        model.loss(lambda v: quadratic_form(jacobian, v), 8, generator).sum().backward()
        optimiser.step()
        schedule.step()
    truth = torch.linalg.slogdet(matrix).logabsdet
    assert (exact_bound(model, matrix) - truth < 0.1).all()
    estimate = model.bound(lambda v: quadratic_form(jacobian, v), 100, generator)
    assert ((estimate.value - truth).abs() < 4 * estimate.standard_error + 0.1).all()


def test_bound_is_evaluated_on_fresh_probes(
    matrix: Tensor, operator: MatrixOperator, generator: torch.Generator
) -> None:
    model = make(matrix, "diagonal")
    values = [model.bound(operator, 2, generator).value for _ in range(2)]
    assert (values[0] != values[1]).all()


def test_bad_arguments(matrix: Tensor, operator: MatrixOperator) -> None:
    with pytest.raises(ArgumentError, match="family must be one of 'diagonal'"):
        VariationalLogDeterminant(1, 2, "full")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="rank must be given for the family 'low-rank' alone"):
        VariationalLogDeterminant(1, 2, "low-rank")
    with pytest.raises(ArgumentError, match="variance must be positive and finite, got -1"):
        VariationalLogDeterminant(1, 2, variance=-1.0)
    model = make(matrix, "low-rank")
    with pytest.raises(ArgumentError, match="family must be 'diagonal' or 'cholesky'"):
        model.newton_step(operator)
    with pytest.raises(ArgumentTypeError, match="form must be a SymmetricOperator for steps"):
        model.natural_step(lambda v: v.square().sum(2), 0.5)
    with pytest.raises(ArgumentError, match="rate must be above 0 and at most 1, got 2"):
        model.natural_step(operator, 2.0)
    with pytest.raises(ArgumentError, match="probes must be at least 2 where only scalars"):
        make(matrix, "diagonal").natural_step(lambda v: v.square().sum(2), 0.5)
    with pytest.raises(ArgumentTypeError, match="form must be a SymmetricOperator or callable"):
        model.loss(3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="form's values must have shape"):
        model.loss(lambda v: v)
    with pytest.raises(ArgumentError, match="form's values must be finite, but contains NaN"):
        make(matrix, "diagonal").natural_step(lambda v: v.sum(2) * torch.nan, 0.5, probes=2)


@pytest.mark.parametrize("probes", [3, 8])
def test_the_upper_limit_holds_for_few_probes(probes: int, generator: torch.Generator) -> None:
    # Student's quantile was exceeded in 12 of 100 runs: one eigenvalue makes the forms skewed.
    runs, size = 2000, 20
    ones = torch.ones((size, size), dtype=torch.float64, device=generator.device)
    matrix = ones + 0.01 * torch.eye(size, dtype=torch.float64, device=generator.device)
    bound = VariationalLogDeterminant(
        runs, size, dtype=torch.float64, device=generator.device, variance=1 / 1.01
    )
    exact = size * math.log(1.01)
    found = bound.bound(MatrixOperator(matrix.expand(runs, -1, -1)), probes, generator)
    violated = (found.upper < exact).double().mean()
    assert violated < 0.01 + 4 * (0.01 / runs) ** 0.5


@pytest.mark.parametrize("probes", [2, 8, 32])
@pytest.mark.parametrize("rank", [1, 2])
def test_upper_limit_holds_for_skewed_forms(
    rank: int, probes: int, generator: torch.Generator
) -> None:
    # 8000 runs at a time: the matrices of a batch have probes of their own.
    runs = 8000
    columns = normal((SIZE, rank), generator)
    matrix = columns @ columns.mT + 1e-3 * torch.eye(SIZE, dtype=columns.dtype)
    operator = MatrixOperator(matrix.expand(runs, -1, -1))
    model = VariationalLogDeterminant(runs, SIZE, dtype=matrix.dtype)
    with torch.no_grad():
        model.log_variance.copy_(-matrix.diagonal().log())
    exact = exact_bound(model, operator.matrix)
    upper = model.bound(operator, probes, generator).upper
    assert (upper < exact).double().mean() <= 0.01
