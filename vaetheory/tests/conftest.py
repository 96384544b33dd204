"""What all tests share: the devices and types that they run on."""

import pytest
import torch

DEVICES = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])

torch.set_num_threads(1)


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device of this machine in turn."""
    return torch.device(request.param)


@pytest.fixture
def generator(device: torch.device) -> torch.Generator:
    """A generator on the device with a fixed seed."""
    return torch.Generator(device).manual_seed(0)
