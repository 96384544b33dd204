import numpy as np
import numpy.typing as npt

def read_program(
    data: memoryview | npt.NDArray[np.uint8], offset: int, longest: int
) -> tuple[tuple[int, ...] | None, int]: ...
def write_program(program: tuple[int, ...]) -> bytes: ...
