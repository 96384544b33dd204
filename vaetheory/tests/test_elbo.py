"""The forms of the ELBO against each other, the exact evidence, and quadrature."""

import math
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch
from decoders import Affine, Curved, convolutional
from posteriors import (
    FAMILIES,
    SigmaPoints,
    make_covariance,
    normal_tensor,
    random_covariance,
    random_parameters,
)
from torch import Tensor
from torch.distributions import MultivariateNormal

from vaetheory.covariance import (
    DiagonalCovariance,
    FullCovariance,
    ScalarCovariance,
)
from vaetheory.elbo import EXACT_SIZE, FORMS, Form, elbo, taylor_elbo
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.likelihoods import (
    Bernoulli,
    Categorical,
    Likelihood,
    MeanVarianceNormal,
    Normal,
    Poisson,
)
from vaetheory.metric import DecoderMetric

BATCH, LATENT, DATA = 3, 2, 4
OUTPUT_SHAPES: list[tuple[Likelihood, tuple[int, ...]]] = [
    (Normal(0.5), (2, 3)),
    (Bernoulli(), (2, 3)),
    (Categorical(), (4, 2)),
    (Poisson(), (5,)),
    (MeanVarianceNormal(), (2, 3)),
]
each_likelihood = pytest.mark.parametrize(
    ("likelihood", "output_shape"),
    OUTPUT_SHAPES,
    ids=[type(one).__name__ for one, _ in OUTPUT_SHAPES],
)
each_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture
def decoder(generator: torch.Generator) -> Affine:
    return Affine(LATENT, DATA, generator)


@pytest.fixture
def x(generator: torch.Generator) -> Tensor:
    return normal_tensor(generator, BATCH, DATA)


@pytest.fixture
def mean(generator: torch.Generator) -> Tensor:
    return normal_tensor(generator, BATCH, LATENT)


def affine_posterior(decoder: Affine, x: Tensor, scale: float) -> MultivariateNormal:
    """The exact posterior N(z*, A^-1) of an affine decoder under N(x; nu(z), scale^2 I)."""
    identity = torch.eye(LATENT, dtype=x.dtype, device=x.device)
    precision = decoder.weight.mT @ decoder.weight / scale**2 + identity
    score = (x - decoder.bias) @ decoder.weight / scale**2
    return MultivariateNormal(
        torch.linalg.solve(precision, score.mT).mT, precision_matrix=precision
    )


def affine_evidence(decoder: Affine, x: Tensor, scale: float) -> Tensor:
    """log N(x; b, W W^T + scale^2 I)."""
    noise = scale**2 * torch.eye(DATA, dtype=x.dtype, device=x.device)
    marginal = MultivariateNormal(decoder.bias, decoder.weight @ decoder.weight.mT + noise)
    return marginal.log_prob(x)


@pytest.mark.parametrize("scale", [1.0, 0.3])
@each_family
def test_three_forms_agree_on_an_affine_decoder(
    decoder: Affine,
    x: Tensor,
    mean: Tensor,
    family: str,
    scale: float,
    generator: torch.Generator,
) -> None:
    covariance = random_covariance(family, BATCH, LATENT, generator)
    dense = covariance.dense()
    expected = affine_evidence(decoder, x, scale) - torch.distributions.kl_divergence(
        MultivariateNormal(mean, dense), affine_posterior(decoder, x, scale)
    )
    likelihood = Normal(scale)
    points = SigmaPoints(torch.linalg.cholesky(dense))
    values = [taylor_elbo(decoder, x, mean, covariance, likelihood)]
    for form in FORMS:
        values.append(elbo(decoder, x, mean, points, likelihood, form=form, samples=2 * LATENT))
    for value in values:
        torch.testing.assert_close(value, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("batch", [1, BATCH])
@each_family
def test_samples_are_unbiased(
    decoder: Affine,
    x: Tensor,
    mean: Tensor,
    family: str,
    batch: int,
    form: Form,
    generator: torch.Generator,
) -> None:
    covariance = random_covariance(family, batch, LATENT, generator)
    expected = taylor_elbo(decoder, x, mean, covariance)
    count = 2000
    values = torch.stack(
        [
            elbo(decoder, x, mean, covariance, form=form, samples=4, generator=generator)
            for _ in range(count // 4)
        ]
    )
    error = (values.mean(0) - expected).abs()
    assert bool((error < 4 * values.std(0) / math.sqrt(len(values))).all())
    # A covariance in common does not make the samples' noise one and the same.
    correlation = torch.corrcoef(values.mT).triu(1).abs().max()
    assert correlation < 4 / math.sqrt(len(values))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("batch", [1, BATCH])
@each_family
def test_given_noise(
    decoder: Affine,
    x: Tensor,
    mean: Tensor,
    form: Form,
    batch: int,
    family: str,
    generator: torch.Generator,
) -> None:
    parameters = random_parameters(family, batch, LATENT, generator)
    covariance = make_covariance(family, LATENT, *parameters)
    state = generator.get_state()
    drawn = elbo(decoder, x, mean, covariance, form=form, samples=3, generator=generator)
    generator.set_state(state)
    noise = normal_tensor(generator, BATCH, 3, covariance.noise_dimension)
    given = elbo(decoder, x, mean, covariance, form=form, samples=3, noise=noise)
    torch.testing.assert_close(given, drawn, rtol=1e-12, atol=1e-12)
    halves = [
        elbo(
            decoder,
            x[part],
            mean[part],
            make_covariance(
                family, LATENT, *(one if batch == 1 else one[part] for one in parameters)
            ),
            form=form,
            samples=3,
            noise=noise[part],
        )
        for part in (slice(0, 2), slice(2, BATCH))
    ]
    torch.testing.assert_close(torch.cat(halves), drawn, rtol=1e-12, atol=1e-12)
    with pytest.raises(ArgumentError, match="noise must have shape"):
        elbo(decoder, x, mean, covariance, form=form, samples=2, noise=noise)
    with pytest.raises(ArgumentTypeError, match="noise must have dtype"):
        elbo(decoder, x, mean, covariance, form=form, samples=3, noise=noise.int())


def test_three_terms_have_no_variance_at_the_true_posterior(
    decoder: Affine, x: Tensor, generator: torch.Generator
) -> None:
    posterior = affine_posterior(decoder, x, 1.0)
    covariance = FullCovariance.from_matrix(posterior.covariance_matrix[:1])
    evidence = affine_evidence(decoder, x, 1.0)
    for samples in (1, 3):
        value = elbo(
            decoder,
            x,
            posterior.mean,
            covariance,
            form="three-term",
            samples=samples,
            generator=generator,
        )
        torch.testing.assert_close(value, evidence, rtol=1e-11, atol=1e-11)


@each_family
def test_maximum_over_the_covariance(
    decoder: Affine, x: Tensor, mean: Tensor, family: str, generator: torch.Generator
) -> None:
    parameters = random_parameters(family, 1, LATENT, generator)
    reached = maximise(
        lambda *values: taylor_elbo(
            decoder, x, mean, make_covariance(family, LATENT, *values)
        ).mean(),
        parameters,
    )
    metric = DecoderMetric(decoder, mean).dense()[:1]
    diagonal = metric.diagonal(dim1=1, dim2=2)
    optimum = {
        "scalar": torch.diag_embed(1 / diagonal.mean(1, keepdim=True).expand(-1, LATENT)),
        "diagonal": torch.diag_embed(1 / diagonal),
        # Of rank d - 1 beside the diagonal: as general as a full matrix.
        "low rank": metric.inverse(),
        "full": metric.inverse(),
    }
    torch.testing.assert_close(
        make_covariance(family, LATENT, *reached).dense(), optimum[family], rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("form", FORMS)
def test_maximum_over_the_covariance_of_the_sampled_forms(
    decoder: Affine, x: Tensor, mean: Tensor, form: Form, generator: torch.Generator
) -> None:
    def value(factor: Tensor) -> Tensor:
        covariance = make_covariance("full", LATENT, factor)
        points = SigmaPoints(torch.linalg.cholesky(covariance.dense()))
        return elbo(decoder, x, mean, points, form=form, samples=2 * LATENT).mean()

    reached = maximise(value, random_parameters("full", BATCH, LATENT, generator))
    expected = DecoderMetric(decoder, mean).dense().inverse()
    found = make_covariance("full", LATENT, *reached).dense()
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def maximise(value: Callable[..., Tensor], parameters: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    parameters = tuple(parameter.detach().clone().requires_grad_() for parameter in parameters)
    optimiser = torch.optim.LBFGS(
        parameters,
        max_iter=500,
        history_size=50,
        tolerance_grad=1e-13,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = -value(*parameters)
        loss.backward()
        return loss

    optimiser.step(closure)
    return tuple(parameter.detach() for parameter in parameters)


def quadrature(
    decoder: Curved, x: Tensor, mean: Tensor, variance: float, likelihood: Likelihood
) -> Tensor:
    """The ELBO for d = 1 by Gauss-Hermite quadrature with 40 nodes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    value = -0.5 * (mean.square().sum(1) + variance - 1 - math.log(variance))
    for node, weight in zip(nodes, weights, strict=True):
        expected = likelihood.log_prob(x, decoder(mean + math.sqrt(variance) * float(node)))
        value = value + float(weight) / math.sqrt(2 * math.pi) * expected
    return value


def example(
    likelihood: Likelihood, output_shape: tuple[int, ...], size: int, generator: torch.Generator
) -> tuple[Curved, Tensor, Tensor]:
    decoder = Curved(size, output_shape, generator).requires_grad_(False)
    mean = 0.5 * normal_tensor(generator, BATCH, size)
    return decoder, likelihood.sample(decoder(mean), generator), mean


@pytest.mark.parametrize("form", FORMS)
@each_likelihood
def test_likelihoods_against_quadrature(
    likelihood: Likelihood,
    output_shape: tuple[int, ...],
    form: Form,
    generator: torch.Generator,
) -> None:
    decoder, x, mean = example(likelihood, output_shape, 1, generator)
    covariance = ScalarCovariance(mean.new_full((1,), 0.2), 1)
    expected = quadrature(decoder, x, mean, 0.2, likelihood)
    values = torch.stack(
        [
            elbo(decoder, x, mean, covariance, likelihood, form=form, generator=generator)
            for _ in range(1000)
        ]
    )
    error = (values.mean(0) - expected).abs()
    assert bool((error < 4 * values.std(0) / math.sqrt(len(values))).all())


@each_likelihood
def test_taylor_form_is_of_second_order(
    likelihood: Likelihood, output_shape: tuple[int, ...], generator: torch.Generator
) -> None:
    decoder, x, mean = example(likelihood, output_shape, 1, generator)
    errors = []
    for variance in (4e-3, 1e-3):
        covariance = DiagonalCovariance(mean.new_full((1, 1), variance))
        value = taylor_elbo(decoder, x, mean, covariance, likelihood, curvature="hessian")
        error = value - quadrature(decoder, x, mean, variance, likelihood)
        errors.append(error.abs().sum())
    assert 14 < errors[0] / errors[1] < 18


@each_likelihood
def test_taylor_form_leaves_out_the_decoders_curvature(
    likelihood: Likelihood, output_shape: tuple[int, ...], generator: torch.Generator
) -> None:
    decoder, x, mean = example(likelihood, output_shape, LATENT, generator)
    covariance = random_covariance("full", BATCH, LATENT, generator)
    flat = Affine(LATENT, math.prod(output_shape), generator)

    def affine(z: Tensor) -> Tensor:
        return flat(z).unflatten(1, output_shape)

    for curve, equal in ((affine, True), (decoder, False)):
        model = (curve, x, mean, covariance, likelihood)
        without = taylor_elbo(*model, curvature="gauss-newton")
        assert torch.allclose(without, taylor_elbo(*model, curvature="hessian")) == equal


def test_probes_are_unbiased(x: Tensor, mean: Tensor, generator: torch.Generator) -> None:
    decoder = Curved(LATENT, (DATA,), generator).requires_grad_(False)
    count = 4000
    for family in FAMILIES:
        covariance = random_covariance(family, 1, LATENT, generator)
        exact = taylor_elbo(decoder, x, mean, covariance)
        many = taylor_elbo(
            decoder,
            x.repeat_interleave(count, 0),
            mean.repeat_interleave(count, 0),
            covariance,
            probes=1,
            generator=generator,
        ).reshape(BATCH, count)
        error = (many.mean(1) - exact).abs()
        assert bool((error < 4 * many.std(1) / math.sqrt(count)).all())
        # The variance of the documentation: of half the trace.
        gram = DecoderMetric(decoder, mean, prior_precision=0.0).gram()
        product = gram @ covariance.dense()
        variance = 0.5 * (product @ product).diagonal(dim1=1, dim2=2).sum(1)
        torch.testing.assert_close(many.var(1), variance, rtol=0.4, atol=0.0)


def test_probing_by_default_in_high_dimensions(generator: torch.Generator) -> None:
    size = EXACT_SIZE + 1
    calls: list[int] = []

    def identity(z: Tensor) -> Tensor:
        calls.append(len(z))
        return 1.0 * z

    x = normal_tensor(generator, 2, size)
    covariance = ScalarCovariance(x.new_full((1,), 0.5), size)
    value = taylor_elbo(identity, x, 0.9 * x, covariance, generator=generator)
    exact = taylor_elbo(identity, x, 0.9 * x, covariance, probes=2000, generator=generator)
    assert not torch.equal(value, exact)
    # Of |v|^2 / 2 with 32 probes v from N(0, I / 2).
    deviation = math.sqrt(size / 8 / 32 + size / 8 / 2000)
    assert bool(((value - exact).abs() < 4 * deviation).all())
    assert len(calls) < size


def test_any_shape_of_output(generator: torch.Generator) -> None:
    decoder = convolutional(LATENT, generator).requires_grad_(False)
    mean = normal_tensor(generator, BATCH, LATENT)
    x = normal_tensor(generator, BATCH, 1, 8, 8)
    covariance = random_covariance("full", BATCH, LATENT, generator)

    def flat(z: Tensor) -> Tensor:
        output: Tensor = decoder(z).flatten(1)
        return output

    for form in FORMS:
        seeds = [torch.Generator(x.device).manual_seed(1) for _ in range(2)]
        value = elbo(decoder, x, mean, covariance, form=form, samples=5, generator=seeds[0])
        expected = elbo(
            flat, x.flatten(1), mean, covariance, form=form, samples=5, generator=seeds[1], rows=4
        )
        torch.testing.assert_close(value, expected)
    torch.testing.assert_close(
        taylor_elbo(decoder, x, mean, covariance),
        taylor_elbo(flat, x.flatten(1), mean, covariance),
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("which", ["kl", "three-term", "taylor", "probed"])
def test_gradients(which: str, family: str, generator: torch.Generator) -> None:
    decoder, x, mean = example(Normal(), (DATA,), LATENT, generator)
    parameters = random_parameters(family, BATCH, LATENT, generator)
    prior_parameters = random_parameters("full", 1, LATENT, generator)
    scale = x.new_tensor(0.7)
    differentiable = [x, mean, scale, *decoder.parameters(), *prior_parameters, *parameters]

    def value(x: Tensor, mean: Tensor, scale: Tensor, *rest: Tensor) -> Tensor:
        # The decoder's parameters are among the rest, but gradcheck changes them in place.
        prior = make_covariance("full", LATENT, rest[2])
        covariance = make_covariance(family, LATENT, *rest[3:])
        likelihood = Normal(scale)
        seeded = torch.Generator(x.device).manual_seed(2)
        if which in ("kl", "three-term"):
            form: Form = "kl" if which == "kl" else "three-term"
            return elbo(
                decoder, x, mean, covariance, likelihood, form=form, prior=prior, generator=seeded
            )
        probes = None if which == "taylor" else 2
        return taylor_elbo(
            decoder, x, mean, covariance, likelihood, prior=prior, probes=probes, generator=seeded
        )

    assert torch.autograd.gradcheck(value, [one.requires_grad_() for one in differentiable])


@each_likelihood
def test_gradients_of_each_likelihood(
    likelihood: Likelihood, output_shape: tuple[int, ...], generator: torch.Generator
) -> None:
    decoder, x, mean = example(likelihood, output_shape, LATENT, generator)
    (parameter,) = random_parameters("diagonal", BATCH, LATENT, generator)

    def values(mean: Tensor, parameter: Tensor) -> tuple[Tensor, ...]:
        covariance = make_covariance("diagonal", LATENT, parameter)
        seeded = torch.Generator(mean.device).manual_seed(2)
        return (
            elbo(decoder, x, mean, covariance, likelihood, generator=seeded),
            taylor_elbo(decoder, x, mean, covariance, likelihood),
        )

    assert torch.autograd.gradcheck(values, (mean.requires_grad_(), parameter.requires_grad_()))


def test_single_precision(
    decoder: Affine, x: Tensor, mean: Tensor, generator: torch.Generator
) -> None:
    covariance = DiagonalCovariance(torch.full_like(mean, 0.5))
    single = DiagonalCovariance(covariance.variance.float())
    expected = taylor_elbo(decoder, x, mean, covariance)
    value = taylor_elbo(decoder, x.float(), mean.float(), single)
    torch.testing.assert_close(value, expected.float())
    sampled = elbo(decoder, x.float(), mean.float(), single, generator=generator)
    assert sampled.dtype == torch.float32


def test_choices_are_the_documented_ones() -> None:
    assert get_args(Form) == FORMS


@pytest.mark.parametrize("function", [elbo, taylor_elbo])
def test_bad_arguments(
    function: Callable[..., Tensor], decoder: Affine, x: Tensor, mean: Tensor
) -> None:
    unit = ScalarCovariance(mean.new_ones(1), LATENT)
    good = {"decoder": decoder, "x": x, "mean": mean, "covariance": unit}
    cases: list[tuple[dict[str, object], type[Exception], str]] = [
        ({"decoder": 3}, ArgumentTypeError, "decoder must be callable, got int"),
        ({"decoder": lambda z: (z, z)}, ArgumentTypeError, "decoder must return one tensor"),
        ({"decoder": lambda z: z.float()}, ArgumentTypeError, "decoder's output must have the dt"),
        ({"decoder": lambda z: decoder(z).sum(1)}, ArgumentError, "decoder must map latents"),
        ({"decoder": lambda z: decoder(z).mean(0)}, ArgumentError, "decoder must map latents"),
        ({"decoder": lambda z: decoder.weight @ z}, ArgumentError, "decoder must take a batch"),
        ({"x": x[:1]}, ArgumentError, r"x must have shape \(3, 4\)"),
        ({"x": x[:, :2]}, ArgumentError, r"x must have shape \(3, 4\)"),
        ({"x": x * torch.nan}, ArgumentError, "x must be finite, but contains NaN"),
        ({"x": None}, ArgumentTypeError, "x must be a torch.Tensor, got NoneType"),
        ({"x": x.float()}, ArgumentTypeError, "x must have the dtype of z"),
        ({"x": x.to("meta")}, ArgumentTypeError, "x must be on the device of z"),
        ({"mean": mean[0]}, ArgumentError, r"mean must have shape \(b, d\)"),
        ({"covariance": mean}, ArgumentTypeError, "covariance must be a Covariance"),
        ({"likelihood": "normal"}, ArgumentTypeError, "likelihood must be a Likelihood, got str"),
        ({"prior": mean}, ArgumentTypeError, "prior must be a Covariance, got Tensor"),
        ({"rows": 0}, ArgumentError, "rows must be at least 1"),
    ]
    for changed, error, message in cases:
        with pytest.raises(error, match=message):
            function(**good | changed)


def test_bad_choices(decoder: Affine, x: Tensor, mean: Tensor) -> None:
    unit = ScalarCovariance(mean.new_ones(1), LATENT)
    with pytest.raises(ArgumentError, match="form must be one of 'kl', 'three-term', got 'ml'"):
        elbo(decoder, x, mean, unit, form="ml")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="samples must be at least 1, got 0"):
        elbo(decoder, x, mean, unit, samples=0)
    with pytest.raises(ArgumentError, match="curvature must be one of"):
        taylor_elbo(decoder, x, mean, unit, curvature="newton")  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="probes must be an int, got float"):
        taylor_elbo(decoder, x, mean, unit, probes=1.5)  # type: ignore[arg-type]
