import numpy as np
import numpy.typing as npt

def sample_8bit(
    image: npt.NDArray[np.uint8],
    signed: bool,
    program: npt.NDArray[np.int32],
    zeros: npt.NDArray[np.int32],
    distance: int,
) -> tuple[int, int, int]: ...
def sample_16bit(
    image: npt.NDArray[np.uint16],
    signed: bool,
    program: npt.NDArray[np.int32],
    zeros: npt.NDArray[np.int32],
    distance: int,
) -> tuple[int, int, int]: ...
