"""Two processes with parts of a batch give what one process with the whole batch gives."""

from datetime import timedelta
from pathlib import Path

import pytest
import torch
from decoders import Curved
from posteriors import make_covariance, normal_tensor, random_parameters
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from vaetheory.bilbo import bilbo
from vaetheory.covariance import Covariance, DiagonalCovariance
from vaetheory.held_prior import HeldPrior
from vaetheory.models import ConstantVarianceVAE, TrainWith

pytestmark = pytest.mark.skipif(
    not (distributed.is_available() and distributed.is_gloo_available()), reason="needs gloo"
)

BATCH, LATENT, DATA, SAMPLES = 8, 3, 5, 2
# The second process has fewer samples.
PARTS = (slice(0, 5), slice(5, BATCH))
KINDS = ("shared", "full", "diagonal")
Results = dict[str, list[Tensor]]


def compute(part: slice, group: distributed.ProcessGroup | None) -> Results:
    """Values, gradients and states of everything that knows of process groups, for a part."""
    results: Results = {}
    for kind in KINDS:
        results[kind] = bilbo_and_gradients(kind, part, group)
    for mode in ("batch", "held"):
        results[mode] = model_and_gradients(mode, part, group)
    return results


def bilbo_and_gradients(
    kind: str, part: slice, group: distributed.ProcessGroup | None
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    decoder = Curved(LATENT, (DATA,), generator)
    encoder = Curved(DATA, (LATENT,), generator)
    x = normal_tensor(generator, BATCH, DATA)[part]
    noise = normal_tensor(generator, BATCH, SAMPLES, LATENT)[part]
    covariance: Covariance
    if kind == "diagonal":
        spread = Curved(DATA, (LATENT,), generator)
        covariance = DiagonalCovariance(spread(x).exp())
        parameters: list[Tensor] = [*spread.parameters()]
    else:
        batch = 1 if kind == "shared" else BATCH
        (parameter,) = random_parameters("full", batch, LATENT, generator)
        parameters = [parameter.requires_grad_()]
        own = parameter if kind == "shared" else parameter[part]
        covariance = make_covariance("full", LATENT, own)
    value = bilbo(decoder, x, encoder(x), covariance, samples=SAMPLES, noise=noise, group=group)
    parameters += [*decoder.parameters(), *encoder.parameters()]
    gradients = torch.autograd.grad(value, parameters)
    prior = HeldPrior(LATENT).double()
    prior.update(encoder(x), covariance, group=group)
    return [value.detach(), prior.second_moment, *(mean(one, group) for one in gradients)]


def mean(gradient: Tensor, group: distributed.ProcessGroup | None) -> Tensor:
    """What DistributedDataParallel makes of gradients."""
    if group is not None:
        distributed.all_reduce(gradient, group=group)
        gradient /= group.size()
    return gradient


def model_and_gradients(
    mode: TrainWith, part: slice, group: distributed.ProcessGroup | None
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    decoder = Curved(LATENT, (DATA,), generator)
    encoder = Curved(DATA, (LATENT,), generator)
    model = ConstantVarianceVAE(encoder, decoder, LATENT, train_with=mode).double()
    module: nn.Module = model if group is None else DistributedDataParallel(model)
    values = []
    for _ in range(2):
        x = normal_tensor(generator, BATCH, DATA)[part]
        noise = normal_tensor(generator, BATCH, SAMPLES, LATENT)[part]
        module.zero_grad()
        values.append(module(x, SAMPLES, noise=noise, group=group))
        values[-1].backward()
    gradients = [one.grad for one in model.parameters() if one.grad is not None]
    assert len(gradients) == 4
    state: dict[str, Tensor] = model.prior.state_dict()
    return [*(one.detach() for one in values), *state.values(), *gradients]


def run_part(rank: int, folder: Path) -> None:
    """One process of the group: compute, and write down the results."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=(folder / "meeting").as_uri(),
        rank=rank,
        world_size=len(PARTS),
        timeout=timedelta(seconds=60),
    )
    try:
        torch.save(compute(PARTS[rank], distributed.group.WORLD), folder / f"{rank}.pt")
    finally:
        distributed.destroy_process_group()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    """The results of both processes."""
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.spawn(run_part, (folder,), nprocs=len(PARTS))
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(len(PARTS))]


@pytest.fixture(scope="module")
def whole() -> Results:
    """The results of one process."""
    return compute(slice(None), None)


@pytest.mark.parametrize("kind", [*KINDS, "batch", "held"])
def test_two_processes_are_as_one(kind: str, parts: list[Results], whole: Results) -> None:
    assert len(whole[kind]) > 4
    for part in parts:
        for found, expected in zip(part[kind], whole[kind], strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
