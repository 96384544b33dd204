"""The codec of Zarr, in arrays that zarr-python creates, opens, reads and writes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import documented
import numpy as np
import pytest
import zarr
from chunk_cases import AXES, DTYPES, damaged, flipped, modules_after, scene

import gfwx
from gfwx.plugins.zarr import GfwxCodec

# Half as long as these arrays in each direction but one, so that chunks at the edges are partial.
CHUNKS = {"yx": (16, 32), "yxc": (16, 32, 3), "zyx": (2, 16, 32), "zyxc": (2, 16, 32, 4)}


def create(store: Any, array: Any, axes: str, **options: Any) -> Any:
    """Create an array of the same shape and type; options are the codec's or zarr's."""
    ours = {name: options.pop(name) for name in list(options) if name in FIELDS}
    made = zarr.create_array(
        store,
        shape=array.shape,
        dtype=array.dtype,
        chunks=options.pop("chunks", CHUNKS.get(axes)),
        serializer=GfwxCodec(axes=axes, **ours),
        compressors=options.pop("compressors", None),
        **options,
    )
    made[:] = array
    return made


FIELDS = frozenset(GfwxCodec.__dataclass_fields__)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axes", AXES)
def test_an_array_comes_back(axes: str, dtype: str, tmp_path: Path) -> None:
    array = scene(AXES[axes], dtype)
    create(tmp_path / "array", array, axes)
    opened = zarr.open_array(tmp_path / "array", mode="r")
    np.testing.assert_array_equal(opened[:], array, strict=True)
    np.testing.assert_array_equal(opened[..., 5:20, :], array[..., 5:20, :])
    chunk = (tmp_path / "array/c").joinpath(*"0" * len(axes))
    if not axes.endswith("c"):
        assert gfwx.read_header(chunk).shape[1:] == (16, 32, 1)
    assert gfwx.decode(chunk.read_bytes()).dtype == dtype


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [">u2", "<i2"])
def test_byte_and_memory_order_do_not_matter(dtype: str, order: Any, tmp_path: Path) -> None:
    array = scene(AXES["zyx"], "int16").astype(dtype).copy(order)
    create(tmp_path / "array", array, "zyx", config={"order": order})
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "array")[:], array)


def test_parts_of_chunks_are_written(tmp_path: Path) -> None:
    array = scene((40, 70), "uint16")
    made = create(tmp_path / "array", array, "yx")
    made[3:30, 10:50] = array[3:30, 10:50] = 7
    made[39, 69] = array[39, 69] = 8
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "array")[:], array)


def test_chunks_that_are_not_there_have_the_fill_value(tmp_path: Path) -> None:
    array = np.full((40, 70), -3, np.int16)
    array[20, 40] = 5
    create(tmp_path / "array", array, "yx", fill_value=-3)
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("c/*/*")] == [Path("array/c/1/1")]
    opened = zarr.open_array(tmp_path / "array", mode="r+")
    np.testing.assert_array_equal(opened[:], array)
    opened[5, 5] = 9  # in a chunk that was not there
    array[5, 5] = 9
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "array")[:], array)


def test_chunks_of_the_fill_value_are_written_on_demand(tmp_path: Path) -> None:
    array = np.zeros((16, 32), np.uint8)
    create(tmp_path / "array", array, "yx", config={"write_empty_chunks": True})
    assert (gfwx.imread(tmp_path / "array/c/0/0") == 0).all()


@pytest.mark.parametrize("axes", AXES)
def test_shards(axes: str, tmp_path: Path) -> None:
    array = scene(AXES[axes], "uint16")
    shards = tuple(2 * n if n > 4 else n for n in CHUNKS[axes])
    made = create(tmp_path / "array", array, axes, shards=shards)
    opened = zarr.open_array(tmp_path / "array", mode="r+")
    assert opened.shards == shards
    np.testing.assert_array_equal(opened[:], array)
    row = (..., 17, slice(40)) if not axes.endswith("c") else (..., 17, slice(40), slice(None))
    np.testing.assert_array_equal(opened[row], array[row])
    opened[row] = array[row] = 3
    np.testing.assert_array_equal(made[:], array)


def test_bytes_codecs_follow(tmp_path: Path) -> None:
    array = scene((40, 70), "uint16")
    create(tmp_path / "array", array, "yx", compressors=[zarr.codecs.Crc32cCodec()])
    opened = zarr.open_array(tmp_path / "array")
    np.testing.assert_array_equal(opened[:], array)
    path = tmp_path / "array/c/0/0"
    for data in flipped(path.read_bytes(), 20):  # now every one is found
        path.write_bytes(data)
        with pytest.raises(ValueError, match="checksum"):
            opened[:16, :32]


def test_lossy_options(tmp_path: Path) -> None:
    array = scene((64, 64, 3), "uint8")
    create(tmp_path / "array", array, "yxc", chunks=(64, 64, 3), quality=128, chroma_scale=8)
    assert (tmp_path / "array/c/0/0/0").read_bytes() == gfwx.encode(array, 128, chroma_scale=8)
    np.testing.assert_array_equal(
        zarr.open_array(tmp_path / "array")[:],
        gfwx.decode(gfwx.encode(array, 128, chroma_scale=8)),
    )


def test_metadata_come_back_through_json(tmp_path: Path) -> None:
    steps = [gfwx.transforms.Step(target=1, sources={0: -1})]
    array = scene((4, 16, 32), "uint16")
    made = create(
        tmp_path / "array", array, "zyx", transform=steps, bit_depth=14, threads=2, quality=1000
    )
    (stored,) = json.loads((tmp_path / "array/zarr.json").read_text())["codecs"]
    assert stored["name"] == "gfwx.image"
    assert "threads" not in stored["configuration"]
    assert stored["configuration"]["bit_depth"] == 14
    assert stored["configuration"]["transform"] == list(gfwx.transforms.program(steps))
    opened = zarr.open_array(tmp_path / "array")
    assert opened.serializer == made.serializer == GfwxCodec.from_dict(stored)
    assert opened.serializer.to_dict() == stored
    assert pickle.loads(pickle.dumps(opened)).serializer == made.serializer


def test_axes_are_enough_in_metadata(tmp_path: Path) -> None:
    array = scene((40, 70), "uint16")
    create(tmp_path / "array", array, "yx")
    path = tmp_path / "array/zarr.json"
    metadata = json.loads(path.read_text())
    metadata["codecs"][0]["configuration"] = {"axes": "yx"}
    path.write_text(json.dumps(metadata))
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "array")[:], array)


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "uint32", "int64", "bool", "complex64", "S4"])
def test_other_types_are_refused_at_creation(dtype: str, sharded: bool, tmp_path: Path) -> None:
    with pytest.raises(gfwx.ArgumentTypeError, match="samples must be uint8, int8, uint16 or int"):
        zarr.create_array(
            tmp_path / "array",
            shape=(40, 70),
            chunks=(16, 32),
            shards=(32, 32) if sharded else None,
            dtype=dtype,
            serializer=GfwxCodec(axes="yx"),
            compressors=None,
        )
    assert not (tmp_path / "array/zarr.json").exists()


@pytest.mark.parametrize(
    ("shape", "sharded"),
    [((), False), ((70,), False), ((70,), True), ((3, 40, 70), False), ((3, 40, 70), True)],
)
def test_other_dimensions_are_refused_at_creation(
    shape: tuple[int, ...], sharded: bool, tmp_path: Path
) -> None:
    with pytest.raises(gfwx.ArgumentError, match=f"for 2 dimensions, got {len(shape)}"):
        zarr.create_array(
            tmp_path / "array",
            shape=shape,
            chunks=(1,) * len(shape),
            shards=(2,) * len(shape) if sharded else None,
            dtype="uint8",
            serializer=GfwxCodec(axes="yx"),
            compressors=None,
        )
    assert not (tmp_path / "array/zarr.json").exists()


def test_chunks_that_are_too_large_are_refused_at_creation(tmp_path: Path) -> None:
    with pytest.raises(gfwx.ArgumentError, match="a chunk can have 1073741824 samples"):
        zarr.create_array(
            tmp_path / "array",
            shape=(2**20, 2**20),
            chunks=(2**16, 2**15),
            dtype="uint8",
            serializer=GfwxCodec(axes="yx"),
        )


def test_a_bit_depth_of_another_type_is_refused_at_creation(tmp_path: Path) -> None:
    with pytest.raises(gfwx.ArgumentError, match="bit_depth of uint8 samples"):
        create(tmp_path / "array", scene((16, 32), "uint8"), "yx", bit_depth=12)


@pytest.mark.parametrize(
    ("codec", "message"),
    [
        ({"name": "gfwx.image"}, "axes is missing"),
        ({"name": "gfwx.image", "configuration": {}}, "axes is missing"),
        ({"name": "gfwx.image", "configuration": {"axes": "xy"}}, "axes must be"),
        (
            {"name": "gfwx.image", "configuration": {"axes": "yx", "level": 5}},
            "unknown options 'level'; there are axes, quality",
        ),
    ],
)
def test_metadata_that_cannot_be_used_are_refused(
    codec: dict[str, Any], message: str, tmp_path: Path
) -> None:
    create(tmp_path / "array", scene((40, 70), "uint16"), "yx")
    path = tmp_path / "array/zarr.json"
    metadata = json.loads(path.read_text())
    metadata["codecs"] = [codec]
    path.write_text(json.dumps(metadata))
    with pytest.raises(gfwx.ArgumentError, match=message):
        zarr.open_array(tmp_path / "array")


def test_another_codec_is_refused() -> None:
    with pytest.raises(gfwx.ArgumentError, match=r"must be 'gfwx\.image', got 'bytes'"):
        GfwxCodec.from_dict({"name": "bytes"})


def test_damaged_chunks_are_refused(tmp_path: Path) -> None:
    array = scene((16, 32), "uint16")
    create(tmp_path / "array", array, "yx")
    opened = zarr.open_array(tmp_path / "array")
    path = tmp_path / "array/c/0/0"
    for data in damaged(path.read_bytes()):
        path.write_bytes(data)
        with pytest.raises(gfwx.GfwxError):
            opened[:]


def test_damaged_shards_are_refused(tmp_path: Path) -> None:
    array = scene((16, 32), "uint16")
    create(tmp_path / "array", array, "yx", shards=(16, 32))
    opened = zarr.open_array(tmp_path / "array")
    path = tmp_path / "array/c/0/0"
    shard = path.read_bytes()
    path.write_bytes(b"\x89PNG" + shard[4:])
    with pytest.raises(gfwx.MalformedError, match="not a GFWX file"):
        opened[:]
    path.write_bytes(shard[:-30])  # the index lies at the end, with a checksum
    with pytest.raises(ValueError, match="checksum"):
        opened[:]


def test_flipped_bits_are_refused_or_give_a_chunk(tmp_path: Path) -> None:
    array = scene((16, 32), "uint16")
    create(tmp_path / "array", array, "yx")
    opened = zarr.open_array(tmp_path / "array")
    path = tmp_path / "array/c/0/0"
    refused = 0
    for data in flipped(path.read_bytes(), 200):
        path.write_bytes(data)
        try:
            assert opened[:].shape == array.shape
        except gfwx.GfwxError:
            refused += 1
    assert 0 < refused < 200


@pytest.mark.parametrize(
    ("axes", "image"),
    [
        ("yx", scene((32, 16), "uint16")),
        ("yx", scene((16, 32), "int16")),
        ("yx", scene((16, 32), "uint8")),
        ("yx", scene((16, 32, 2), "uint16")),
        ("zyx", scene((1, 16, 32, 1), "uint16")),
    ],
)
def test_chunks_of_another_array_are_refused(axes: str, image: Any, tmp_path: Path) -> None:
    array = scene((16, 32) if axes == "yx" else (2, 16, 32), "uint16")
    create(tmp_path / "array", array, axes)
    (path,) = (path for path in tmp_path.rglob("c/**/0") if path.is_file())
    gfwx.imwrite(path, image)
    with pytest.raises(gfwx.MalformedError, match="but the array's chunks have uint16 samples"):
        zarr.open_array(tmp_path / "array")[:]


def test_groups_of_stacks_and_channels(tmp_path: Path) -> None:
    """A pyramid as OME-Zarr has them, and pictures whose channels come first."""
    stack = scene((6, 64, 96), "uint16")
    group = zarr.create_group(tmp_path / "group")
    levels = [stack[:, :: 1 << level, :: 1 << level] for level in range(3)]
    for number, level in enumerate(levels):
        made = group.create_array(
            str(number),
            shape=level.shape,
            chunks=(2, 32, 32),
            shards=(6, 64, 64),
            dtype=level.dtype,
            dimension_names=("z", "y", "x"),
            serializer=GfwxCodec(axes="zyx"),
            compressors=None,
        )
        made[:] = level
    group.attrs["ome"] = {
        "version": "0.5",
        "multiscales": [
            {
                "axes": [{"name": name, "type": "space"} for name in "zyx"],
                "datasets": [
                    {
                        "path": str(number),
                        "coordinateTransformations": [
                            {"type": "scale", "scale": [1, 1 << number, 1 << number]}
                        ],
                    }
                    for number in range(3)
                ],
            }
        ],
    }

    # As z, t, c of microscopes: five axes, the first three of which are layers.
    series = scene((2, 3, 2, 40, 50), "uint16")
    made = group.create_array(
        "series",
        shape=series.shape,
        chunks=(1, 1, 2, 32, 32),
        dtype=series.dtype,
        dimension_names=tuple("tczyx"),
        serializer=GfwxCodec(axes="tczyx"),
        compressors=None,
    )
    made[:] = series

    # Red, green and blue: to the end, so that the color transform finds them.
    color = scene((3, 40, 50), "uint8")
    made = group.create_array(
        "color",
        shape=color.shape,
        chunks=(3, 32, 48),
        dtype=color.dtype,
        dimension_names=tuple("cyx"),
        filters=[zarr.codecs.TransposeCodec(order=(1, 2, 0))],
        serializer=GfwxCodec(axes="yxc", transform="uyv"),
        compressors=None,
    )
    made[:] = color

    opened = zarr.open_group(tmp_path / "group", mode="r")
    datasets = opened.attrs["ome"]["multiscales"][0]["datasets"]
    for dataset, level in zip(datasets, levels, strict=True):
        np.testing.assert_array_equal(opened[dataset["path"]][:], level, strict=True)
    np.testing.assert_array_equal(opened["series"][:], series, strict=True)
    np.testing.assert_array_equal(opened["series"][1, 2], series[1, 2])
    np.testing.assert_array_equal(opened["color"][:], color, strict=True)
    header = gfwx.read_header(tmp_path / "group/color/c/0/0/0")
    assert header.shape == (1, 32, 48, 3)
    assert header.intent == "rgb"


def test_the_codec_of_numcodecs_in_arrays_of_format_2(tmp_path: Path) -> None:
    array = scene((5, 33, 47), "uint16")
    made = zarr.create_array(
        tmp_path / "array",
        shape=array.shape,
        chunks=(2, 16, 32),
        dtype=array.dtype,
        zarr_format=2,
        compressors={"id": "gfwx", "axes": "zyx", "quality": 1024},
    )
    made[:] = array
    assert json.loads((tmp_path / "array/.zarray").read_text())["compressor"]["id"] == "gfwx"
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "array")[:], array, strict=True)


@pytest.mark.parametrize(("dtype", "order"), [(">u2", "C"), ("<u2", "F")])
def test_format_2_refuses_what_would_come_back_as_other_samples(
    dtype: str, order: Any, tmp_path: Path
) -> None:
    made = zarr.create_array(
        tmp_path / "array",
        shape=(33, 47),
        chunks=(16, 32),
        dtype=dtype,
        order=order,
        zarr_format=2,
        compressors={"id": "gfwx", "axes": "yx"},
    )
    with pytest.raises(gfwx.ArgumentError, match=r"little-endian|Fortran"):
        made[:] = scene((33, 47), "uint16")


def test_it_is_imported_only_for_use() -> None:
    assert "zarr" not in modules_after("import gfwx")
    assert "gfwx" not in modules_after("import zarr")


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert documented.run("README.md", "python zarr") == 2
