"""The compiled kernels, in the best instruction set that the processor runs.

Every kernel is compiled once for each instruction set: ``"v2"``, ``"v3"`` and ``"v4"`` (the levels
of x86-64), or ``"portable"`` on other processors. One set is chosen at import; the environment
variable ``GFWX_INSTRUCTION_SET`` forces one. All give the same bytes.

Attributes
----------
analysis, synthesis, block_encoder, block_decoder : module
    The chosen kernels. Use them as attributes of this module (``kernels.analysis``), so that
    `select` takes effect.
instruction_set : str
    The name of the chosen set.
"""

import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from gfwx.errors import ArgumentError
from gfwx.kernels import cpu

ENVIRONMENT_VARIABLE = "GFWX_INSTRUCTION_SET"

analysis: ModuleType
synthesis: ModuleType
block_encoder: ModuleType
block_decoder: ModuleType
instruction_set: str


def built() -> tuple[str, ...]:
    """Name the instruction sets that this installation was compiled for, plainest first."""
    names = ("portable", "v2", "v3", "v4")
    return tuple(name for name in names if find_spec(f"{__name__}.analysis_{name}"))


def runnable() -> tuple[str, ...]:
    """Name the instruction sets that are built and that this processor supports, plainest first."""
    supported = cpu.supported()
    return tuple(name for name in built() if name in supported)


def select(name: str) -> None:
    """Switch all kernels to one instruction set.

    Calls that are running in other threads may use either set. The bytes are the same.

    Parameters
    ----------
    name : str
        One of `runnable`.

    Raises
    ------
    ArgumentError
        If the set was not built or does not run on this processor.
    """
    global analysis, synthesis, block_encoder, block_decoder, instruction_set
    if name not in runnable():
        # Importing the modules would already execute instructions that the processor may lack.
        why = "does not run on this processor" if name in built() else "was not built"
        raise ArgumentError(
            f"instruction set {name!r} {why}; runnable here: {', '.join(runnable())}"
        )
    analysis = import_module(f"{__name__}.analysis_{name}")
    synthesis = import_module(f"{__name__}.synthesis_{name}")
    block_encoder = import_module(f"{__name__}.block_encoder_{name}")
    block_decoder = import_module(f"{__name__}.block_decoder_{name}")
    instruction_set = name


def _select_at_import() -> None:
    forced = os.environ.get(ENVIRONMENT_VARIABLE)
    if forced:
        try:
            select(forced)
        except ArgumentError as error:
            raise ArgumentError(f"{ENVIRONMENT_VARIABLE}: {error}") from None
        return
    if not runnable():
        raise ImportError(
            f"gfwx was built for the instruction sets {', '.join(built())}, "
            f"and this processor runs only {', '.join(cpu.supported())}"
        )
    select(runnable()[-1])


_select_at_import()
