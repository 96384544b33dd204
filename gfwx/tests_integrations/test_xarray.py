"""Variables of xarray's datasets in arrays of Zarr."""

from __future__ import annotations

from pathlib import Path

import documented
import pytest
import xarray
import zarr
from chunk_cases import modules_after, scene

import gfwx
from gfwx.plugins.zarr import GfwxCodec

STACK = scene((3, 60, 80), "uint16")
DATA = xarray.Dataset({"stack": (("z", "y", "x"), STACK)}, {"z": [0.0, 0.5, 1.0]})


def write(data: xarray.Dataset, path: Path, **encoding: object) -> None:
    data.to_zarr(path, zarr_format=3, consolidated=False, encoding={"stack": encoding})


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert documented.run("README.md", "python xarray") == 1


def test_copies_keep_the_codec(tmp_path: Path) -> None:
    codec = GfwxCodec(axes="zyx", encoder="high-bitrate")
    write(DATA, tmp_path / "data", chunks=(1, 60, 80), serializer=codec, compressors=None)
    opened = xarray.open_zarr(tmp_path / "data", consolidated=False)
    xarray.testing.assert_identical(opened, DATA)
    opened.to_zarr(tmp_path / "copy", zarr_format=3, consolidated=False)
    copy = zarr.open_group(tmp_path / "copy")["stack"]
    assert copy.serializer == codec
    assert (copy[:] == STACK).all()
    assert gfwx.read_header(tmp_path / "copy/stack/c/2/0/0").encoder == "high-bitrate"


def test_other_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(gfwx.ArgumentTypeError, match="got float64"):
        write(DATA / 2, tmp_path / "data", serializer=GfwxCodec(axes="zyx"), compressors=None)


def test_it_is_imported_only_for_use() -> None:
    assert "xarray" not in modules_after("import gfwx")
