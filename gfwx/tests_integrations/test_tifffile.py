"""From TIFF files to Zarr arrays."""

from __future__ import annotations

from pathlib import Path

import documented
import numpy as np
import pytest
import tifffile
import zarr
from chunk_cases import modules_after, scene

import gfwx


@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_the_documentation_runs(
    tile: tuple[int, int] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stack = scene((3, 60, 80), "uint16")
    tifffile.imwrite("stack.tif", stack, photometric="minisblack", tile=tile)
    assert documented.run("docs/dask.md", "python tifffile") == 1
    np.testing.assert_array_equal(zarr.open_array("stack.zarr")[:], stack, strict=True)
    np.testing.assert_array_equal(gfwx.imread("stack.zarr/c/1/0/0"), stack[1])


def test_it_is_imported_only_for_use() -> None:
    assert "tifffile" not in modules_after("import gfwx")
