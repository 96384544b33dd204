"""Headers: golden bytes computed by hand from section 3 of the format, faults, prefixes."""

from __future__ import annotations

import array
import dataclasses
import mmap
import pickle
import struct

import numpy as np
import pytest

import gfwx
from gfwx import Encoder, Filter, Header, Intent
from gfwx.header import BytesLike, byte_view, choose_bit_depth

HEADER = Header(
    width=640,
    height=480,
    layers=2,
    channels=3,
    bit_depth=12,
    quality=512,
    chroma_scale=8,
    vertical_levels=4,
    encoder=Encoder.CONTEXTUAL,
    intent=Intent.RGB,
    metadata=b"abcde\0\0\0",
)
GOLDEN = bytes.fromhex(
    "47465758"  # GFWX
    "01000000"  # version 1
    "80020000 e0010000"  # 640 x 480
    "02000100"  # layers - 1 = 1, channels - 1 = 2
    "e5e03f0b"  # 0x0b3fe0e5 = 11 << 24 | 0 << 23 | 511 << 13 | 7 << 5 | 5
    "07020004"  # filter 4, quantization 0, encoder 2, intent 7
    "02000000"  # two words of metadata
    "6162636465000000"
)
SIGNED = Header(1, 2**30, bit_depth=15, signed=True, filter=Filter.CUBIC, encoder=Encoder.TURBO)
SIGNED_GOLDEN = bytes.fromhex(
    "47465758 01000000 01000000 00000040 00000000"
    "05e0ff0e"  # 0x0effe005 = 14 << 24 | 1 << 23 | 1023 << 13 | 0 << 5 | 5
    "00000001 00000000"
)


def changed(word: int, value: int, golden: bytes = GOLDEN) -> bytes:
    """The golden header with one of its words replaced."""
    return golden[: 4 * word] + struct.pack("<I", value) + golden[4 * word + 4 :]


@pytest.mark.parametrize(("header", "golden"), [(HEADER, GOLDEN), (SIGNED, SIGNED_GOLDEN)])
def test_golden_bytes(header: Header, golden: bytes) -> None:
    assert header.pack() == golden
    assert gfwx.read_header(golden) == header
    assert gfwx.read_header(golden + b"the picture") == header
    assert header.size == len(golden)


def test_properties() -> None:
    assert HEADER.shape == (2, 480, 640, 3)
    assert HEADER.planes == 6
    assert HEADER.dtype == np.uint16
    assert HEADER.default_bit_depth == 16
    assert not HEADER.is_bayer
    assert not HEADER.is_lossless
    assert HEADER.chroma_quality == 64
    assert HEADER.boost == 8
    assert HEADER.filter_code == 4
    assert SIGNED.filter_code == 1
    assert SIGNED.boost == 1
    assert SIGNED.is_lossless
    assert not dataclasses.replace(SIGNED, chroma_scale=2).is_lossless
    assert dataclasses.replace(HEADER, quality=1, chroma_scale=256).chroma_quality == 1
    assert dataclasses.replace(HEADER, quality=11, chroma_scale=8).chroma_quality == 1
    assert dataclasses.replace(HEADER, quality=12, chroma_scale=8).chroma_quality == 2


def test_bayer_intents_are_the_five() -> None:
    bayer = [intent for intent in Intent if Header(1, 1, intent=intent).is_bayer]
    assert [str(intent) for intent in bayer] == [
        "bayer-rggb",
        "bayer-bggr",
        "bayer-grbg",
        "bayer-gbrg",
        "bayer-generic",
    ]


def test_every_code_survives() -> None:
    for filter_code in range(9):
        for encoder_code in range(4):
            for intent_code in range(14):
                word = filter_code << 24 | encoder_code << 8 | intent_code
                data = changed(6, word)
                header = gfwx.read_header(data)
                assert header.pack() == data
                assert header.filter_code == filter_code
                assert header.encoder == list(Encoder)[encoder_code]
                assert header.intent == list(Intent)[intent_code]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_bit_depth_tells_the_type(dtype: type) -> None:
    fitting = []
    for bit_depth in range(-1, 20):
        try:
            chosen = choose_bit_depth(np.dtype(dtype), bit_depth)
        except gfwx.ArgumentError:
            continue
        header = Header(1, 1, bit_depth=chosen, signed=bool(np.dtype(dtype).kind == "i"))
        assert gfwx.read_header(header.pack()).dtype == dtype
        fitting.append(bit_depth)
    assert fitting == (list(range(1, 9)) if np.dtype(dtype).itemsize == 1 else list(range(9, 17)))


def test_default_bit_depths() -> None:
    types = ["u1", "i1", "u2", "i2", ">u2", ">i2"]
    assert [choose_bit_depth(np.dtype(t)) for t in types] == [8, 7, 16, 15, 16, 15]
    for wrong in (np.float32, np.uint32, np.bool_):
        with pytest.raises(gfwx.ArgumentTypeError, match="uint8, int8, uint16 or int16"):
            choose_bit_depth(np.dtype(wrong))


FAULTS = {
    "magic": (changed(0, 0x58574647 + 1), gfwx.MalformedError, 4),
    "version 2": (changed(1, 2), gfwx.UnsupportedError, 8),
    "width 0": (changed(2, 0), gfwx.MalformedError, 12),
    "width over": (changed(2, 2**30 + 1), gfwx.MalformedError, 12),
    "height 0": (changed(3, 0), gfwx.MalformedError, 16),
    "height over": (changed(3, 2**32 - 1), gfwx.MalformedError, 16),
    "bit depth 17": (changed(5, 16 << 24), gfwx.UnsupportedError, 24),
    "signed bit depth 17": (changed(5, 16 << 24 | 1 << 23), gfwx.UnsupportedError, 24),
    "bit depth 256": (changed(5, 255 << 24), gfwx.UnsupportedError, 24),
    "filter 9": (changed(6, 9 << 24), gfwx.UnsupportedError, 28),
    "quantization 1": (changed(6, 1 << 16), gfwx.UnsupportedError, 28),
    "encoder 4": (changed(6, 4 << 8), gfwx.UnsupportedError, 28),
    "intent 14": (changed(6, 14), gfwx.UnsupportedError, 28),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_show_as_soon_as_their_word_is_there(name: str) -> None:
    data, error, there = FAULTS[name]
    for length in range(there, len(data) + 1):
        with pytest.raises(error):
            gfwx.read_header(data[:length])
    if name != "magic":
        with pytest.raises(gfwx.IncompleteDataError):
            gfwx.read_header(data[: there - 1])


def test_wrong_magic_shows_with_its_first_wrong_byte() -> None:
    for data in (b"P", b"GI", b"GFWx", b"\x89PNG\r\n"):
        with pytest.raises(gfwx.MalformedError, match="not a GFWX file"):
            gfwx.read_header(data)


def test_version_0_is_read() -> None:
    assert gfwx.read_header(changed(1, 0)) == HEADER


def test_prefixes_are_incomplete_and_say_where_it_ends() -> None:
    for length in range(len(GOLDEN)):
        with pytest.raises(gfwx.IncompleteDataError) as caught:
            gfwx.read_header(GOLDEN[:length])
        assert caught.value.next == (32 if length < 32 else 40)


def test_endless_metadata_are_incomplete() -> None:
    with pytest.raises(gfwx.IncompleteDataError) as caught:
        gfwx.read_header(changed(7, 2**32 - 1))
    assert caught.value.next == 32 + 4 * (2**32 - 1)


def test_largest_block_size_of_a_file_is_read_but_not_written() -> None:
    header = gfwx.read_header(changed(5, 0x0B3FE0E0 | 31))
    assert header.block_size == 33
    with pytest.raises(gfwx.ArgumentError, match=r"block_size must be 2\.\.30, got 33"):
        header.pack()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quality": 0}, "quality must be 1..1024, got 0"),
        ({"quality": 1025}, "quality must be 1..1024, got 1025"),
        ({"chroma_scale": 0}, "chroma_scale must be 1..256, got 0"),
        ({"chroma_scale": 257}, "chroma_scale must be 1..256, got 257"),
        ({"block_size": 1}, "block_size must be 2..30, got 1"),
        ({"block_size": 31}, "block_size must be 2..30, got 31"),
        ({"width": 0}, "width must be 1..1073741824, got 0"),
        ({"height": 2**30 + 1}, "height must be 1..1073741824, got 1073741825"),
        ({"layers": 65537}, "layers must be 1..65536, got 65537"),
        ({"channels": 0}, "channels must be 1..65536, got 0"),
        ({"bit_depth": 17}, "bit_depth must be 1..16, got 17"),
        ({"vertical_levels": 1}, "vertical_levels must be 2..8, got 1"),
        ({"vertical_levels": 9}, "vertical_levels must be 2..8, got 9"),
        ({"filter": "cubic"}, "vertical_levels needs filter 'linear', got 'cubic'"),
        ({"filter": "square"}, "filter must be one of 'linear', 'cubic', got 'square'"),
        ({"encoder": "auto"}, "encoder must be one of 'turbo', 'fast', .*got 'auto'"),
        ({"intent": "bayer"}, "intent must be one of 'generic', .*got 'bayer'"),
    ],
)
def test_bad_values_are_refused_in_the_callers_words(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(gfwx.ArgumentError, match=message):
        dataclasses.replace(HEADER, **changes).pack()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"quality": 5.0}, {"width": "5"}, {"filter": 1}, {"encoder": None}, {"metadata": "text"}],
)
def test_wrong_types_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(gfwx.ArgumentTypeError) as caught:
        dataclasses.replace(HEADER, **changes).pack()  # type: ignore[arg-type]
    assert isinstance(caught.value, TypeError)
    assert next(iter(changes)) in str(caught.value)


def test_plain_strings_and_numpy_integers_are_welcome() -> None:
    header = Header(
        np.uint8(255),  # type: ignore[arg-type]
        np.uint16(480),  # type: ignore[arg-type]
        quality=np.int16(1000),  # type: ignore[arg-type]
        chroma_scale=np.uint8(255),  # type: ignore[arg-type]
        filter="cubic",  # type: ignore[arg-type]
        encoder="high-bitrate",  # type: ignore[arg-type]
        intent="bayer-grbg",  # type: ignore[arg-type]
    )
    assert header.filter is Filter.CUBIC
    assert header.intent is Intent.BAYER_GRBG
    assert header.chroma_quality == 4
    assert gfwx.read_header(header.pack()) == header


def test_metadata_are_padded_to_words() -> None:
    for length in range(9):
        metadata = b"metadata!"[:length]
        data = dataclasses.replace(HEADER, metadata=metadata).pack()
        assert len(data) == 32 + (length + 3) // 4 * 4
        assert gfwx.read_header(data).metadata == metadata + b"\0" * (-length % 4)


@pytest.mark.parametrize(
    "metadata",
    [
        bytearray(b"abcdefgh"),
        memoryview(b"abcdefgh"),
        memoryview(b"abcdefgh").cast("I"),
        memoryview(b"abcdefgh").cast("B", (2, 4)),
        memoryview(b"a.b.c.d.e.f.g.h.")[::2],
    ],
)
def test_metadata_of_any_buffer(metadata: bytes) -> None:
    data = dataclasses.replace(HEADER, metadata=metadata).pack()
    assert len(data) == 40
    assert gfwx.read_header(data).metadata == b"abcdefgh"


def test_any_buffer_is_read_without_a_copy() -> None:
    mapped = mmap.mmap(-1, len(GOLDEN))
    mapped[:] = GOLDEN
    buffers: list[BytesLike] = [
        GOLDEN,
        bytearray(GOLDEN),
        memoryview(GOLDEN),
        mapped,
        np.frombuffer(GOLDEN, np.uint8),
        np.frombuffer(GOLDEN, np.int32).reshape(2, 5),
        array.array("b", GOLDEN),
    ]
    for buffer in buffers:
        assert gfwx.read_header(buffer) == HEADER
    view = byte_view(buffers[1])
    buffers[1][0] = 0  # type: ignore[index]
    assert view[0] == 0


@pytest.mark.parametrize(
    "data", [None, 5, [71, 70], np.frombuffer(GOLDEN, np.uint8)[::2], object()]
)
def test_other_data_are_refused(data: object) -> None:
    with pytest.raises(gfwx.ArgumentTypeError, match="contiguous and bytes-like"):
        gfwx.read_header(data)  # type: ignore[arg-type]


def test_no_data_at_all_are_incomplete() -> None:
    nothings: list[BytesLike] = [b"", np.empty(0, np.uint8), np.empty((3, 0), np.uint8)]
    for nothing in nothings:
        with pytest.raises(gfwx.IncompleteDataError) as caught:
            gfwx.read_header(nothing)
        assert caught.value.next == 32


def test_headers_cannot_be_changed_and_can_be_pickled() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        HEADER.width = 5  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(HEADER)) == HEADER


def test_errors_are_value_errors_and_can_be_pickled() -> None:
    errors = [
        gfwx.MalformedError,
        gfwx.UnsupportedError,
        gfwx.LimitError,
        gfwx.ArgumentError,
        gfwx.ArgumentTypeError,
    ]
    for error in [*(error("message") for error in errors), gfwx.IncompleteDataError("more", 99)]:
        assert isinstance(error, gfwx.GfwxError)
        assert isinstance(error, ValueError)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)
