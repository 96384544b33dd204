import numpy as np
from numpy.typing import NDArray

class CodingTables:
    def __init__(
        self,
        components: NDArray[np.int64],
        levels: int,
        factors: NDArray[np.int32],
        shift: int,
        cubic: bool,
        chroma: NDArray[np.uint8],
        steps: NDArray[np.int32],
        reversed_steps: NDArray[np.int32],
        signed: bool,
        boost: int,
        tolerance: int,
        green_parity: int,
    ) -> None: ...
