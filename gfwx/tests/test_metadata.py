"""The convention for metadata, as docs/metadata.md has it."""

from __future__ import annotations

import json
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gfwx
from gfwx import Metadata

IMAGE = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
FULL = Metadata(
    exif=b"II*\0\x08\0\0\0\0\0",
    icc=b"profile",
    xmp=b"<x:xmpmeta/>",
    values={"lens": "50 mm", "größe": [1, 2.5, None, {"a": True}]},
    checksum=0xFFFFFFFF,
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Not surrogates, which UTF-8 has not.
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def entry(tag: bytes, data: bytes) -> bytes:
    return tag + struct.pack("<I", len(data)) + data + b"\0" * (-len(data) % 4)


def test_the_documented_bytes() -> None:
    expected = b"GFWXMETA" + b"".join(
        [
            entry(b"EXIF", FULL.exif),
            entry(b"ICCP", b"profile"),
            entry(b"XMP ", b"<x:xmpmeta/>"),
            entry(
                b"JSON",
                json.dumps(dict(FULL.values), ensure_ascii=False, separators=(",", ":")).encode(),
            ),
            entry(b"CRC ", b"\xff\xff\xff\xff"),
        ]
    )
    assert FULL.to_bytes() == expected
    assert Metadata.from_bytes(expected) == FULL
    assert Metadata().to_bytes() == b""


@given(
    st.binary(max_size=9),
    st.binary(max_size=9),
    st.binary(max_size=9),
    st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), JSON, max_size=4),
    st.none() | st.integers(0, 2**32 - 1),
)
def test_what_goes_in_comes_out(
    exif: bytes, icc: bytes, xmp: bytes, values: dict[str, Any], checksum: int | None
) -> None:
    known = Metadata(exif, icc, xmp, values, checksum)
    assert known.exif == exif.removeprefix(b"Exif\0\0")
    assert (known.icc, known.xmp, known.values, known.checksum) == (icc, xmp, values, checksum)
    assert len(known.to_bytes()) % 4 == 0
    assert Metadata.from_bytes(known.to_bytes()) == known


def test_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "picture.gfwx"
    gfwx.imwrite(path, IMAGE, metadata=FULL)
    data = path.read_bytes()
    for source in (path, str(path), data, gfwx.read_header(data)):
        assert gfwx.read_metadata(source) == FULL
    np.testing.assert_array_equal(gfwx.decode(data), IMAGE)
    assert gfwx.read_metadata(gfwx.encode(IMAGE)) == Metadata()
    assert gfwx.read_metadata(gfwx.encode(IMAGE, metadata=b"of another kind")) == Metadata()


def test_the_jpeg_prefix_of_exif_is_taken_off() -> None:
    assert Metadata(exif=b"Exif\0\0II*\0").exif == b"II*\0"


def test_values_are_those_of_the_moment() -> None:
    values = {"a": [1]}
    known = Metadata(values=values)
    values["a"].append(2)
    assert known.values == {"a": [1]}
    with pytest.raises(TypeError):
        known.values["a"] = 3  # type: ignore[index]
    assert pickle.loads(pickle.dumps(FULL)) == FULL


def test_unknown_entries_are_passed_over() -> None:
    block = b"GFWXMETA" + entry(b"mine", b"12345") + entry(b"ICCP", b"profile")
    assert Metadata.from_bytes(block) == Metadata(icc=b"profile")


DAMAGED = {
    "within an entry": b"GFWXMETA" + b"EXIF",
    "has 4294967295 bytes, but 0": b"GFWXMETA" + b"EXIF" + b"\xff" * 4,
    "has 5 bytes, but 4": b"GFWXMETA" + b"EXIF" + struct.pack("<I", 5) + b"1234",
    "two entries b'ICCP'": b"GFWXMETA" + 2 * entry(b"ICCP", b"profile"),
    "3 bytes instead of 4": b"GFWXMETA" + entry(b"CRC ", b"abc"),
    "are not JSON: Expecting": b"GFWXMETA" + entry(b"JSON", b"{"),
    "are not JSON: 'utf-8'": b"GFWXMETA" + entry(b"JSON", b"\xff"),
    "are not JSON: NaN": b"GFWXMETA" + entry(b"JSON", b'{"a":NaN}'),
    "are not JSON: maximum recursion": b"GFWXMETA" + entry(b"JSON", b"[" * 100_000),
    "not a JSON object": b"GFWXMETA" + entry(b"JSON", b"[1]"),
}


@pytest.mark.parametrize(("message", "block"), DAMAGED.items(), ids=DAMAGED)
def test_damaged_metadata_still_give_the_picture(message: str, block: bytes) -> None:
    with pytest.raises(gfwx.MalformedError, match=message):
        Metadata.from_bytes(block)
    data = gfwx.encode(IMAGE, metadata=block)
    with pytest.warns(gfwx.MetadataWarning, match=f"metadata are left out: .*{message}"):
        assert gfwx.read_metadata(data) == Metadata()
    np.testing.assert_array_equal(gfwx.decode(data), IMAGE)


@given(st.integers(0, len(FULL.to_bytes()) - 1), st.integers(0, 255), st.booleans())
def test_any_damage_gives_metadata_or_a_clean_error(at: int, value: int, cut: bool) -> None:
    block = bytearray(FULL.to_bytes())
    block[at] = value
    try:
        found = Metadata.from_bytes(block[:at] if cut else block)
    except gfwx.MalformedError:
        return
    assert isinstance(found, Metadata)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"exif": "text"}, "exif must be bytes, got str"),
        ({"values": [1]}, "values must map strings"),
        ({"values": {1: 2}}, "values must map strings"),
        ({"checksum": 1.5}, "checksum must be an int"),
        ({"checksum": True}, "checksum must be an int"),
        ({"checksum": 2**32}, "checksum must have 32 bits"),
        ({"checksum": -1}, "checksum must have 32 bits"),
        ({"values": {"a": float("nan")}}, "what JSON can hold"),
        ({"values": {"a": b"bytes"}}, "what JSON can hold"),
        ({"values": {"a": "\ud800"}}, "what JSON can hold"),
    ],
)
def test_wrong_metadata_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(gfwx.ArgumentError, match=message):
        Metadata(**wrong)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, ">u2"])
def test_the_checksum_is_of_the_pixels_in_order(dtype: Any) -> None:
    image = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(dtype)
    little = image.astype(np.dtype(dtype).newbyteorder("<"))
    assert gfwx.checksum(image) == zlib.crc32(little.tobytes())
    assert gfwx.checksum(image[:, ::-1]) == zlib.crc32(little[:, ::-1].tobytes())
    assert gfwx.checksum(gfwx.decode(gfwx.encode(image))) == gfwx.checksum(image)
    with pytest.raises(gfwx.ArgumentError):
        gfwx.checksum(image.astype(float))
