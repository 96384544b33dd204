"""Log-determinants from products against exact ones."""

import pytest
import torch
from decoders import Affine, Curved, normal
from spectra import decaying, operator_with, random_spd
from torch import Tensor

from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.jacobian import Jacobian
from vaetheory.log_determinants import jacobian_logdet, logdet
from vaetheory.log_determinants.block_lanczos import block_lanczos
from vaetheory.log_determinants.krylov import krylov_logdet
from vaetheory.metric import DecoderMetric
from vaetheory.operators import FunctionOperator, MatrixOperator
from vaetheory.trace import draw_probes

SIZE = 300


@pytest.fixture
def operator() -> FunctionOperator:
    return operator_with(decaying(SIZE), batch=200)


def test_exact_with_its_gradient(generator: torch.Generator) -> None:
    matrix = random_spd(3, 6, generator).requires_grad_()

    def value(matrix: Tensor) -> Tensor:
        return logdet(MatrixOperator(0.5 * (matrix + matrix.mT))).value

    torch.testing.assert_close(value(matrix), torch.linalg.slogdet(matrix).logabsdet)
    assert torch.autograd.gradcheck(value, matrix)


def test_the_krylov_basis(generator: torch.Generator) -> None:
    operator = MatrixOperator(random_spd(3, 40, generator))
    start = draw_probes(operator, 4, "normal", generator)
    space = block_lanczos(operator, start, 5, generator)
    identity = torch.eye(24, dtype=torch.float64, device=operator.device).expand(3, -1, -1)
    torch.testing.assert_close(space.basis.mT @ space.basis, identity, atol=1e-12, rtol=0)
    torch.testing.assert_close(space.basis[:, :, :4] @ space.start, start.mT)
    image = operator.matrix @ space.basis[:, :, :20]
    torch.testing.assert_close(space.basis @ space.matrix, image, atol=1e-12, rtol=0)


def test_the_krylov_basis_of_an_invariant_space(generator: torch.Generator) -> None:
    factor = normal((1, 3, 40), generator)
    identity = torch.eye(40, dtype=torch.float64, device=factor.device)
    operator = MatrixOperator(factor.mT @ factor + identity)
    space = block_lanczos(operator, draw_probes(operator, 4, "normal", generator), 5, generator)
    small = torch.eye(24, dtype=torch.float64, device=factor.device)
    torch.testing.assert_close((space.basis.mT @ space.basis)[0], small, atol=1e-12, rtol=0)
    image = operator.matrix @ space.basis[:, :, :20]
    torch.testing.assert_close(space.basis @ space.matrix, image, atol=1e-9, rtol=0)


def test_estimates_are_unbiased_and_their_errors_true(
    operator: FunctionOperator, generator: torch.Generator
) -> None:
    exact = decaying(SIZE).log().sum()
    estimate = logdet(operator, 128, floor=1.0, generator=generator)
    assert (estimate.method, estimate.probes, estimate.depth) == ("krylov", 16, 8)
    assert estimate.products == 128
    error = estimate.value - exact
    assert error.mean().abs() < 4 * error.std() / operator.batch**0.5
    assert error.abs().median() < 0.006 * exact
    assert estimate.standard_error is not None
    assert 0.9 <= (error.abs() <= 2 * estimate.standard_error).double().mean() <= 0.99
    assert estimate.lower is not None
    assert (estimate.lower <= exact).all()
    assert estimate.upper is not None
    assert (estimate.upper < exact).double().mean() <= 0.01
    assert estimate.gap is not None
    assert (estimate.gap >= 0).all()


def test_far_from_the_limit_of_quadrature(generator: torch.Generator) -> None:
    """As of a smooth kernel with little noise: the two rules are 1.6 times the value apart."""
    eigenvalues = 1 + 2.5e4 * torch.exp(-torch.arange(2000, dtype=torch.float64) / 20)
    exact = eigenvalues.log().sum()
    estimate = logdet(operator_with(eigenvalues, batch=30), 64, floor=1.0, generator=generator)
    assert estimate.gap is not None
    assert estimate.gap.median() > exact
    error = (estimate.value - exact).abs()
    assert error.median() < 0.04 * exact
    assert estimate.standard_error is not None
    assert (error <= 2 * estimate.standard_error).double().mean() >= 0.9


def test_upper_limit_where_the_space_holds_nearly_all(generator: torch.Generator) -> None:
    eigenvalues = 1 + 100 * 10 ** (-0.38 * torch.arange(64, dtype=torch.float64))
    operator = operator_with(eigenvalues, batch=400)
    estimate = krylov_logdet(operator, 32, depth=4, floor=1.0, generator=generator)
    assert estimate.upper is not None
    assert (estimate.upper < eigenvalues.log().sum()).double().mean() <= 0.01


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-3)])
@pytest.mark.parametrize("size", [64, 1000])
def test_the_identity(size: int, dtype: torch.dtype, tolerance: float) -> None:
    """Rounding puts Ritz values below the floor."""
    operator = operator_with(torch.ones(size, dtype=dtype), batch=20, dtype=dtype)
    estimate = logdet(operator, 48, floor=1.0)
    assert estimate.value.abs().max() < tolerance
    assert estimate.lower is not None
    assert estimate.lower.max() <= 1e-12


@pytest.mark.parametrize("floor", [0.0, 0.5])
@pytest.mark.parametrize("products", [160, 199])
def test_probes_are_left_out_where_the_space_stops_growing(
    products: int, floor: float, generator: torch.Generator
) -> None:
    eigenvalues = 1 + 1e6 * torch.exp(-torch.arange(1, 201, dtype=torch.float64) / 3)
    exact = eigenvalues.log().sum()
    operator = operator_with(eigenvalues, batch=50)
    estimate = logdet(operator, products, floor=floor, generator=generator)
    assert estimate.standard_error is not None
    error = (estimate.value - exact).abs()
    assert (error <= 2 * estimate.standard_error).double().mean() >= 0.85
    assert estimate.upper is not None
    assert (estimate.upper < exact).double().mean() <= 0.02


def test_error_of_quadrature_without_a_floor(generator: torch.Generator) -> None:
    """Eigenvalues over eight powers of ten are far from converged at any depth."""
    eigenvalues = torch.logspace(0, 8, 300, dtype=torch.float64)
    estimate = logdet(operator_with(eigenvalues, batch=50), 150, generator=generator)
    error = (estimate.value - eigenvalues.log().sum()).abs()
    assert estimate.standard_error is not None
    assert (error <= 3 * estimate.standard_error).double().mean() >= 0.9


def test_without_a_floor(generator: torch.Generator) -> None:
    eigenvalues = decaying(SIZE) - 0.9
    operator = operator_with(eigenvalues, batch=100)
    estimate = logdet(operator, 128, generator=generator)
    exact = eigenvalues.log().sum()
    error = estimate.value - exact
    assert estimate.lower is None
    assert estimate.gap is None
    assert estimate.standard_error is not None
    assert error.mean().abs() < 4 * error.std() / operator.batch**0.5
    assert (error.abs() <= 2 * estimate.standard_error).double().mean() >= 0.9
    assert estimate.upper is not None
    assert (estimate.upper < exact).double().mean() <= 0.01


def test_the_floor_may_be_any_positive_number(generator: torch.Generator) -> None:
    one = operator_with(decaying(SIZE), batch=5)
    scaled = operator_with(7.0 * decaying(SIZE), batch=5)
    sources = [torch.Generator(one.device).manual_seed(3) for _ in range(2)]
    first = logdet(one, 64, floor=1.0, generator=sources[0])
    second = logdet(scaled, 64, floor=7.0, generator=sources[1])
    shift = SIZE * torch.tensor(7.0, dtype=torch.float64).log()
    torch.testing.assert_close(second.value, first.value + shift)
    assert first.lower is not None
    assert first.upper is not None
    torch.testing.assert_close(second.lower, first.lower + shift)
    torch.testing.assert_close(second.upper, first.upper + shift)


def test_low_rank_plus_identity_is_exact(generator: torch.Generator) -> None:
    factor = normal((3, 5, 100), generator)
    identity = torch.eye(100, dtype=torch.float64, device=factor.device)
    matrix = factor.mT @ factor + identity
    estimate = logdet(MatrixOperator(matrix), 64, floor=1.0, generator=generator)
    exact = torch.linalg.slogdet(matrix).logabsdet
    torch.testing.assert_close(estimate.value, exact)
    torch.testing.assert_close(estimate.lower, exact)
    torch.testing.assert_close(estimate.upper, exact)


@pytest.mark.parametrize(
    ("floor", "dtype", "tolerance"),
    [
        (1.0, torch.float64, 1e-9),
        (1.0, torch.float32, 1e-4),
        (0.0, torch.float64, 3e-3),
        (0.0, torch.float32, 3e-3),
    ],
)
def test_a_space_that_stops_growing(
    floor: float, dtype: torch.dtype, tolerance: float, generator: torch.Generator
) -> None:
    factor = normal((2, 40, 300), generator)
    matrix = factor.mT @ factor + torch.eye(300, dtype=torch.float64, device=factor.device)
    exact = torch.linalg.slogdet(matrix).logabsdet
    operator = MatrixOperator(matrix.to(dtype))
    for products in (96, 128, 256):
        estimate = logdet(operator, products, floor=floor, generator=generator)
        torch.testing.assert_close(estimate.value.double(), exact, rtol=tolerance, atol=0)


def test_few_probes_give_no_standard_error(operator: FunctionOperator) -> None:
    estimate = logdet(operator, 32, floor=1.0)
    assert estimate.probes == 4
    assert estimate.standard_error is None
    assert estimate.upper is None
    assert estimate.lower is not None


def test_single_precision(generator: torch.Generator) -> None:
    exact = decaying(SIZE).log().sum()
    operator = operator_with(decaying(SIZE), batch=20, dtype=torch.float32)
    estimate = logdet(operator, 128, floor=1.0, generator=generator)
    assert estimate.value.dtype == torch.float32
    assert (estimate.value - exact).abs().median() < 0.01 * exact
    assert estimate.lower is not None
    assert (estimate.lower <= exact).all()


@pytest.mark.parametrize("products", [4, 7, 15, 33, 59])
def test_any_budget_is_kept(products: int, generator: torch.Generator) -> None:
    spent = []

    def multiply(vectors: Tensor) -> Tensor:
        spent.append(vectors.shape[1])
        return vectors * decaying(60)

    operator = FunctionOperator(multiply, 1, 60, torch.float64)
    estimate = logdet(operator, products, floor=1.0, generator=generator)
    assert sum(spent) == estimate.products <= products
    assert torch.isfinite(estimate.value).all()


def test_decoder_metric(generator: torch.Generator) -> None:
    decoder = Curved(40, (50,), generator)
    z = normal((2, 40), generator)
    metric = DecoderMetric(decoder, z)
    exact = logdet(metric)
    estimate = logdet(metric, 32, floor=1.0, generator=generator)
    # The decoder has eight hidden units: the identity plus rank eight.
    torch.testing.assert_close(estimate.value, exact.value.detach())
    assert exact.value.requires_grad


def test_square_and_tall_jacobians(generator: torch.Generator) -> None:
    for outputs in (6, 9):
        decoder = Affine(6, outputs, generator)
        matrix = decoder.weight
        jacobian = Jacobian(decoder, normal((3, 6), generator))
        exact = 0.5 * torch.linalg.slogdet(matrix.mT @ matrix).logabsdet
        estimate = jacobian_logdet(jacobian)
        assert estimate.method == "exact"
        torch.testing.assert_close(estimate.value, exact.expand(3))


def test_jacobian_by_products(generator: torch.Generator) -> None:
    identity = torch.eye(80, dtype=torch.float64, device=generator.device)
    matrix = identity + 0.3 * normal((80, 80), generator) / 80**0.5
    jacobian = Jacobian(lambda z: z @ matrix.mT, normal((60, 80), generator))
    estimate = jacobian_logdet(jacobian, 64, generator=generator)
    exact = torch.linalg.slogdet(matrix).logabsdet
    assert estimate.standard_error is not None
    assert estimate.method == "krylov"
    error = estimate.value - exact
    assert error.mean().abs() < 4 * error.std() / 60**0.5
    least = float(torch.linalg.svdvals(matrix)[-1])
    bounded = jacobian_logdet(jacobian, 64, floor=0.99 * least, generator=generator)
    assert bounded.lower is not None
    assert (bounded.lower <= exact).all()


def test_gradient_of_the_exact_jacobian_logdet(generator: torch.Generator) -> None:
    decoder = Curved(3, (4,), generator)
    z = normal((2, 3), generator).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda z, *_: jacobian_logdet(Jacobian(decoder, z)).value, (z, *decoder.parameters())
    )


def test_bad_arguments(operator: FunctionOperator, generator: torch.Generator) -> None:
    with pytest.raises(ArgumentTypeError, match="operator must be a SymmetricOperator, got str"):
        logdet("A")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="method must be one of 'auto'"):
        logdet(operator, method="lanczos")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="floor must be at least 0 and finite, got -1"):
        logdet(operator, 64, floor=-1.0)
    with pytest.raises(ArgumentError, match="no eigenvalue below floor = 2, but has a Ritz value"):
        logdet(operator_with(torch.full((SIZE,), 1.5)), 64, floor=2.0)
    with pytest.raises(ArgumentError, match="operator must have positive eigenvalues"):
        logdet(operator_with(decaying(SIZE) - 50), 64)
    with pytest.raises(ArgumentError, match="operator must give finite products"):
        logdet(operator_with(torch.full((SIZE,), torch.nan)), 64)
    with pytest.raises(ArgumentError, match="operator must be positive definite"):
        logdet(operator_with(torch.tensor([1.0, -1.0])))
    with pytest.raises(ArgumentError, match="products must allow two probes to depth 40"):
        logdet(operator, 64, depth=40)
    wide = Jacobian(lambda z: z[:, :2], normal((1, 3), generator))
    with pytest.raises(ArgumentError, match="jacobian must have at least as many outputs"):
        jacobian_logdet(wide)
    flat = Jacobian(lambda z: z * torch.tensor([1.0, 1.0, 0.0]), normal((1, 3), generator))
    with pytest.raises(ArgumentError, match="jacobian must have full rank"):
        jacobian_logdet(flat)


def test_exact_values_heed_the_floor(generator: torch.Generator) -> None:
    matrix = random_spd(3, 6, generator)
    least = float(torch.linalg.eigvalsh(matrix).min())
    expected = torch.linalg.slogdet(matrix).logabsdet
    found = logdet(MatrixOperator(matrix), floor=least, depth=2)
    torch.testing.assert_close(found.value, expected)
    with pytest.raises(ArgumentError, match="operator must have no eigenvalue below floor"):
        logdet(MatrixOperator(matrix), floor=1.01 * least)
    with pytest.raises(ArgumentError, match="floor must be at least 0 and finite, got -1"):
        logdet(MatrixOperator(matrix), floor=-1)
    with pytest.raises(ArgumentError, match="depth must be at least 2"):
        logdet(MatrixOperator(matrix), depth=1)
    # Rounding is not below the floor.
    low_rank = normal((2, 30, 3), generator)
    identity = torch.eye(30, dtype=low_rank.dtype, device=low_rank.device)
    logdet(MatrixOperator(1e4 * low_rank @ low_rank.mT + identity), floor=1.0)


def test_bounds_are_rounded_outwards(generator: torch.Generator) -> None:
    operator = operator_with(decaying(SIZE), batch=20)
    values = [
        krylov_logdet(one, 64, floor=1.0, generator=torch.Generator().manual_seed(1))
        for one in (
            operator,
            FunctionOperator(
                lambda vectors: operator.product(vectors.double()).float(),
                20,
                SIZE,
                torch.float32,
                operator.device,
            ),
        )
    ]
    assert values[1].lower is not None
    assert values[1].upper is not None
    exact = decaying(SIZE).log().sum()
    assert bool((values[1].lower.double() <= exact).all())
    assert values[1].lower.dtype == torch.float32


@pytest.mark.parametrize("outputs", [6, 9])
def test_a_singular_jacobian_is_refused(outputs: int, generator: torch.Generator) -> None:
    decoder = Affine(6, outputs, generator)
    with torch.no_grad():
        decoder.weight[:, 5] = decoder.weight[:, :5].sum(1)
    jacobian = Jacobian(decoder, normal((2, 6), generator))
    with pytest.raises(ArgumentError, match="jacobian must have full rank, but is singular"):
        jacobian_logdet(jacobian)


def test_the_floor_of_a_jacobian(generator: torch.Generator) -> None:
    jacobian = Jacobian(Affine(6, 9, generator), normal((2, 6), generator))
    with pytest.raises(ArgumentError, match=r"floor must be at least 0 and finite, got -0\.5"):
        jacobian_logdet(jacobian, 4, method="krylov", floor=-0.5)
    with pytest.raises(ArgumentError, match="jacobian must have no singular value below floor"):
        jacobian_logdet(jacobian, floor=1e3)


def test_a_far_extrapolation_is_covered() -> None:
    # Eigenvalues fill the range from 1 to 10^4: two rules far apart that come together slowly.
    # Two standard errors covered the error in 83 of 100 runs.
    seeds = 100
    weight = 3 * normal((270, 300), torch.Generator().manual_seed(1))
    matrix = weight.mT @ weight + torch.eye(300, dtype=weight.dtype)
    exact = torch.linalg.slogdet(matrix).logabsdet
    operator = MatrixOperator(matrix.expand(seeds, -1, -1))
    found = krylov_logdet(operator, 128, floor=1.0, generator=torch.Generator().manual_seed(0))
    assert found.standard_error is not None
    covered = ((found.value - exact).abs() <= 2 * found.standard_error).double().mean()
    assert covered >= 0.9
    # And not by an error without bounds.
    assert bool((found.standard_error < 0.05 * exact).all())


@pytest.mark.parametrize("large", [10, 40])
def test_a_space_that_stops_growing_without_a_floor(large: int) -> None:
    # Rounding of the large eigenvalues passed for small ones: 1.7 off at a standard error of 0.002.
    size, seeds = 200, 50
    values = torch.ones(size, dtype=torch.float64)
    values[:large] = torch.logspace(1, 5, large, dtype=torch.float64)
    found = krylov_logdet(
        operator_with(values, batch=seeds), 96, generator=torch.Generator().manual_seed(0)
    )
    assert found.standard_error is not None
    error = (found.value - values.log().sum()).abs()
    assert (error <= 2 * found.standard_error).double().mean() >= 0.9
    assert error.median() < 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("outputs", "size"), [(2, 2), (40, 40), (40, 7)])
def test_singular_jacobians(
    outputs: int, size: int, dtype: torch.dtype, generator: torch.Generator
) -> None:
    z = torch.zeros(1, size, dtype=dtype, device=generator.device)
    matrix = normal((size, outputs), generator).to(dtype)
    matrix[-1] = 3 * matrix[0]
    with pytest.raises(
        ArgumentError, match="jacobian must have full rank, but is singular to working"
    ):
        jacobian_logdet(Jacobian(lambda z: z @ matrix, z))
    # Small columns lose no digits: the determinant of a scaled matrix is known.
    regular = normal((size, outputs), generator).to(dtype)
    scales = torch.logspace(-12, 0, size, dtype=dtype, device=z.device)
    plain = jacobian_logdet(Jacobian(lambda z: z @ regular, z)).value
    scaled = jacobian_logdet(Jacobian(lambda z: z @ (scales[:, None] * regular), z)).value
    torch.testing.assert_close(scaled, plain + scales.log().sum(), rtol=1e-5, atol=1e-3)


def test_tall_jacobians_of_a_moderate_condition(generator: torch.Generator) -> None:
    # 4000 in float32, where the number of outputs times epsilon is 1 / 2700.
    columns = torch.linalg.qr(normal((3072, 16), generator)).Q
    scales = torch.logspace(0, -3.6, 16, dtype=torch.float64, device=generator.device)
    turn = torch.linalg.qr(normal((16, 16), generator)).Q
    matrix = ((columns * scales) @ turn).mT.float()
    estimate = jacobian_logdet(Jacobian(lambda z: z @ matrix, matrix.new_zeros(1, 16)))
    torch.testing.assert_close(estimate.value[0].double(), scales.log().sum(), rtol=0, atol=1e-2)
