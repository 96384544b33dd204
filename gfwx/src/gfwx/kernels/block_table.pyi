import numpy as np
import numpy.typing as npt

from gfwx.kernels.block_data import BlockData

def find_blocks(
    data: memoryview | npt.NDArray[np.uint8],
    start: int,
    width: int,
    height: int,
    planes: int,
    tranche_height: int,
    levels: int,
    block_size: int,
    downsampling: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint32], bool, int]: ...
def new_file(start: bytes, lengths: npt.NDArray[np.uint32]) -> bytes: ...
def write_blocks(
    file: bytes,
    start_size: int,
    levels: npt.NDArray[np.int64],
    chunks: list[BlockData],
    chunk_of: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.uint32],
    first_block: int,
    last_block: int,
) -> None: ...
