"""Arrays that are larger than memory, through dask's schedulers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import documented
import numpy as np
import pytest
import zarr
from chunk_cases import damaged, modules_after, scene
from distributed import Client, LocalCluster

import gfwx
from gfwx.plugins.zarr import GfwxCodec

STACK = scene((7, 96, 130), "uint16")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two processes with a thread each, as `docs/dask.md` has them."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit="1GB", dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def create(path: Path, **options: Any) -> Any:
    return zarr.create_array(
        path,
        shape=STACK.shape,
        chunks=(2, 64, 64),
        dtype=STACK.dtype,
        serializer=GfwxCodec(axes="zyx"),
        compressors=None,
        **options,
    )


@pytest.mark.parametrize("shards", [None, (4, 128, 128)])
def test_a_cluster_writes_and_reads(
    shards: tuple[int, ...] | None, client: Any, tmp_path: Path
) -> None:
    made = create(tmp_path / "array", shards=shards)
    source = da.from_array(STACK, chunks=(3, 50, 60)).rechunk(made.shards or made.chunks)
    da.store(source, made, lock=False)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "array")[:], STACK)
    read = da.from_zarr(str(tmp_path / "array"))
    assert read.chunksize == (2, 64, 64)
    assert not (read != source).any().compute()
    np.testing.assert_array_equal(read.max(axis=0).compute(), STACK.max(axis=0))


def test_stacks_are_made_where_they_are_written(client: Any, tmp_path: Path) -> None:
    """No process ever holds the whole array."""

    def block(block_info: Any) -> Any:
        where = block_info[None]["array-location"]
        return STACK[tuple(slice(*ends) for ends in where)]

    made = create(tmp_path / "array")
    source = da.map_blocks(
        block, chunks=da.core.normalize_chunks(made.chunks, made.shape), dtype=made.dtype
    )
    da.store(source, made, lock=False)
    np.testing.assert_array_equal(made[:], STACK)


def test_lossy_copies_are_made_of_arrays(client: Any, tmp_path: Path) -> None:
    create(tmp_path / "array")[:] = STACK
    copy = zarr.create_array(
        tmp_path / "copy",
        shape=STACK.shape,
        chunks=(1, 96, 130),
        dtype=STACK.dtype,
        serializer=GfwxCodec(axes="zyx", quality=512),
        compressors=None,
    )
    da.store(da.from_zarr(str(tmp_path / "array")).rechunk(copy.chunks), copy, lock=False)
    expected = gfwx.decode(gfwx.encode(STACK[3], 512))
    np.testing.assert_array_equal(copy[3], expected)


@pytest.mark.parametrize("scheduler", ["threads", "sync"])
def test_other_schedulers(scheduler: str, tmp_path: Path) -> None:
    with dask.config.set(scheduler=scheduler):
        made = create(tmp_path / "array")
        da.store(da.from_array(STACK, chunks=made.chunks), made, lock=False)
        assert (da.from_zarr(made) == STACK).all().compute()


def test_errors_come_from_the_workers(client: Any, tmp_path: Path) -> None:
    made = create(tmp_path / "array")
    made[:] = STACK
    path = tmp_path / "array/c/0/0/0"
    for data in damaged(path.read_bytes()):
        path.write_bytes(data)
        with pytest.raises(gfwx.GfwxError):
            da.from_zarr(str(tmp_path / "array")).max().compute()


def test_it_is_imported_only_for_use() -> None:
    assert not {"dask", "distributed", "zarr"} & modules_after("import gfwx")


@pytest.mark.parametrize(
    ("page", "fence", "blocks"),
    [("docs/dask.md", "python", 1), ("docs/tutorials/stacks.md", "python dask", 4)],
)
def test_the_documentation_runs(
    page: str, fence: str, blocks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert documented.run(page, fence) == blocks
