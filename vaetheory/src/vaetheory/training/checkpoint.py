"""Checkpoints: a folder with the configuration to read, and all tensors of a run in one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vaetheory.errors import ArgumentError
from vaetheory.training.configuration import Configuration

CONFIGURATION: Final = "configuration.json"
STATE: Final = "state.safetensors"
_FORMAT: Final = "vaetheory training state, version 1"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run as it was after some epoch.

    Attributes
    ----------
    configuration : Configuration
        Settings of the run.
    shape : tuple of int
        Shape of one sample of its data.
    epoch : int
        Epochs that are done.
    tensors : dict of str to Tensor
        What `tensors_of` gathered: ``model.*``, ``optimiser.*``, ``noise`` and ``objective``.
    """

    configuration: Configuration
    shape: tuple[int, ...]
    epoch: int
    tensors: dict[str, Tensor]

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with that, without it."""
        prefix = name + "."
        return {
            key.removeprefix(prefix): tensor
            for key, tensor in self.tensors.items()
            if key.startswith(prefix)
        }

    def restore(self, module: nn.Module) -> None:
        """Put the model's tensors into a model.

        Raises
        ------
        ArgumentError
            If they do not fit it.
        """
        try:
            module.load_state_dict(self.part("model"))
        except RuntimeError as error:
            raise ArgumentError(f"checkpoint does not fit its configuration: {error}") from error


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, in place of an earlier one; whatever happens, one of the two is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / CONFIGURATION, checkpoint.configuration.to_json().encode())
    metadata = {
        "format": _FORMAT,
        "epoch": str(checkpoint.epoch),
        "shape": " ".join(map(str, checkpoint.shape)),
    }
    new = folder / (STATE + ".new")
    tensors = {name: tensor.contiguous().cpu() for name, tensor in checkpoint.tensors.items()}
    save_file(tensors, new, metadata)
    new.replace(folder / STATE)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    ArgumentError
        If the folder has none, or its files are damaged or of another kind.
    """
    for name in (CONFIGURATION, STATE):
        if not (folder / name).is_file():
            raise ArgumentError(f"{folder} is no checkpoint: it has no file {name}")
    try:
        text = (folder / CONFIGURATION).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ArgumentError(f"{folder / CONFIGURATION} is no text: {error}") from error
    configuration = Configuration.from_json(text)
    try:
        with safe_open(folder / STATE, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ArgumentError(f"{folder / STATE} is damaged or no safetensors: {error}") from error
    if metadata.get("format") != _FORMAT:
        raise ArgumentError(f"{folder / STATE} is not the state of a run of vaetheory")
    shape = tuple(int(size) for size in metadata["shape"].split())
    return Checkpoint(configuration, shape, int(metadata["epoch"]), tensors)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Name the tensors of an optimiser's state: number of the parameter, and what it is."""
    state: Mapping[int, Mapping[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, entries in state.items()
        for name, value in entries.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` named."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".")
        state.setdefault(int(number), {})[name] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def prefixed(name: str, tensors: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Put a name and a dot before each tensor's."""
    return {f"{name}.{key}": tensor for key, tensor in tensors}


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.replace(path)
