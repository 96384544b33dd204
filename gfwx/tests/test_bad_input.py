"""Bad files and bad arguments: each its clear exception, soon, and without much memory."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from model.bits import signed, to_words
from watch import within

import gfwx
from gfwx import Encoder, Header
from gfwx.limits import DEFAULT_MAX_PIXELS, MAX_PLANES, MAX_PROGRAM_LENGTH

RNG = np.random.default_rng(2)
GRAY = RNG.integers(0, 256, (13, 17), np.uint8)
COLOR = RNG.integers(0, 256, (21, 18, 3), np.uint8)
DEEP = RNG.integers(0, 4096, (2, 9, 14, 2), np.uint16)
VALID = {
    "gray": gfwx.encode(GRAY),
    "color": gfwx.encode(COLOR, 300, chroma_scale=8, encoder="contextual", metadata=b"some notes"),
    "tranches": gfwx.encode(COLOR, vertical_levels=2, block_size=2, encoder="fast"),
    "bayer": gfwx.encode(GRAY, 500, intent="bayer-grbg", filter="cubic"),
    "deep": gfwx.encode(
        DEEP, bit_depth=12, encoder="high-bitrate", transform=[1, 0, -1, -1, 1, 1, -1]
    ),
}
ONE_PIXEL = Header(1, 1)
NO_STEPS = signed(2, -1)


def refused(
    error: type[gfwx.GfwxError], call: Callable[..., object], *args: Any, **options: Any
) -> Any:
    """The exception of a call, which must be of the very class, in time and with little memory."""
    with within(seconds=1, megabytes=100), pytest.raises(gfwx.GfwxError) as caught:
        call(*args, **options)
    assert type(caught.value) is error, repr(caught.value)
    assert str(caught.value)
    return caught.value


def file(header: Header, program: str = NO_STEPS, words: list[int] | None = None) -> bytes:
    """A file of a header, the bits of a program, and the words of the levels."""
    return (
        header.pack()
        + to_words(program).tobytes()
        + struct.pack(f"<{len(words or [])}I", *words or [])
    )


def bits(*program: int) -> str:
    """The bits of a transform program."""
    return "".join(signed(2, number) for number in program)


def with_word(data: bytes, word: int, value: int) -> bytes:
    """A file with one of its words replaced."""
    return data[: 4 * word] + struct.pack("<I", value) + data[4 * word + 4 :]


# ---- incomplete


@pytest.mark.parametrize("name", VALID)
def test_every_prefix_is_incomplete(name: str) -> None:
    data = VALID[name]
    header_end = gfwx.read_header(data).size
    pictures = 0
    for length in range(len(data)):
        error = refused(gfwx.IncompleteDataError, gfwx.decode, data[:length])
        assert error.next > length
        image, following = gfwx.decode(data[:length], partial=True)
        assert following == error.next
        pictures += image is not None
        if length < header_end:
            assert image is None
            assert error.next in (32, header_end)
            assert (
                refused(gfwx.IncompleteDataError, gfwx.read_header, data[:length]).next
                == error.next
            )
        else:
            assert gfwx.read_header(data[:length]) == gfwx.read_header(data)
    assert pictures > 0
    assert gfwx.decode(data, partial=True)[1] is None


@pytest.mark.parametrize(("levels", "downsampling"), [(2, 1), (3, 1), (4, 2), (7, 3)])
def test_reading_on_past_levels_that_are_passed_over(levels: int, downsampling: int) -> None:
    """With several tranches these lie between those that a smaller picture needs."""
    image = np.random.default_rng(0).integers(0, 256, (300, 200), np.uint8)
    data = gfwx.encode(image, vertical_levels=levels)
    for length in range(0, len(data), 97):
        _, following = gfwx.decode(data[:length], downsampling=downsampling, partial=True)
        assert following is None or following > length
    length, following = 0, 32
    while following is not None:
        assert length < following <= len(data) + 1024
        length = following
        picture, following = gfwx.decode(data[:length], downsampling=downsampling, partial=True)
    np.testing.assert_array_equal(picture, gfwx.decode(data, downsampling=downsampling))


@pytest.mark.parametrize("name", VALID)
def test_bytes_after_the_end_are_ignored(name: str) -> None:
    data = VALID[name]
    image, following = gfwx.decode(data + b"GFWX and more", partial=True)
    np.testing.assert_array_equal(image, gfwx.decode(data))
    assert following is None


def test_metadata_without_end_are_incomplete() -> None:
    data = with_word(VALID["color"], 7, 2**32 - 1)
    for call in (gfwx.decode, gfwx.read_header):
        assert refused(gfwx.IncompleteDataError, call, data).next == 32 + 4 * (2**32 - 1)


def test_a_program_without_end_is_incomplete() -> None:
    data = file(Header(5, 5, channels=3), bits(0, 1, 5, 1, 5))
    assert refused(gfwx.IncompleteDataError, gfwx.decode, data).next == len(data) + 1024
    assert gfwx.decode(data, partial=True) == (None, len(data) + 1024)


@pytest.mark.parametrize("length", [3, 2**31, 2**32 - 1])
def test_blocks_that_pass_the_end_are_incomplete(length: int) -> None:
    data = file(ONE_PIXEL, words=[length, 0])
    assert refused(gfwx.IncompleteDataError, gfwx.decode, data).next == 36 + 4 + 4 * length
    image, _ = gfwx.decode(data, partial=True)
    assert image == 0
    many = Header(1, 1, channels=1000)  # so that the sum of the lengths passes 2**32 words
    refused(gfwx.IncompleteDataError, gfwx.decode, file(many, words=[length] * 1000))


# ---- malformed


@pytest.mark.parametrize(
    ("word", "value"),
    [(0, 0), (2, 0), (2, 2**30 + 1), (3, 0), (3, 2**30 + 1), (2, 2**32 - 1)],
)
def test_headers_that_cannot_be(word: int, value: int) -> None:
    for data in VALID.values():
        for call in (gfwx.decode, gfwx.read_header):
            refused(gfwx.MalformedError, call, with_word(data, word, value))


@pytest.mark.parametrize("encoder", Encoder)
@pytest.mark.parametrize(
    "words", [[0], [1, 0], [1000, *[0] * 1000]], ids=["none", "few", "endless"]
)
def test_blocks_whose_bits_run_out(encoder: Encoder, words: list[int]) -> None:
    data = file(dataclasses.replace(ONE_PIXEL, encoder=encoder), words=words)
    refused(gfwx.MalformedError, gfwx.decode, data)
    refused(gfwx.MalformedError, gfwx.decode, data, partial=True)


@pytest.mark.parametrize("encoder", Encoder)
def test_blocks_that_end_within_their_coefficients(encoder: Encoder) -> None:
    dc_alone = int(signed(4, 7).ljust(32, "0"), 2)
    header = Header(64, 64, encoder=encoder)
    # The first level: the constant part, but not the three coefficients beside it.
    data = file(header, words=[1, dc_alone])
    refused(gfwx.MalformedError, gfwx.decode, data, partial=True)
    refused(gfwx.IncompleteDataError, gfwx.decode, data)


@pytest.mark.parametrize("name", ["gray", "bayer"])
def test_a_block_that_lost_its_last_word(name: str) -> None:
    data = VALID[name]
    words = np.frombuffer(data, "<u4")
    # The last level of these files is one block: a length, and so many words to the end.
    at = next(i for i in range(len(words) - 2, 0, -1) if words[i] == len(words) - 1 - i)
    refused(gfwx.MalformedError, gfwx.decode, with_word(data[:-4], at, int(words[at]) - 1))


@pytest.mark.parametrize(
    "program",
    [
        (3, -1, 1, 0, -1),
        (-2, -1, 1, 0, -1),
        (2**31 - 1, -1, 1, 0, -1),
        (0, 3, 1, -1, 1, 0, -1),
        (0, -2, 1, -1, 1, 0, -1),
        (0, 1, 1, 2**31 - 1, 1, -1, 1, 0, -1),
        (0, 1, 1, -1, 1, -1, -1),
        (0, -1, 1, -1, -1),
    ],
)
def test_transforms_of_planes_that_are_not_there(program: tuple[int, ...]) -> None:
    data = file(Header(1, 1, channels=3), bits(*program), words=[1, 1, 1, *[0xFFFFFFFF] * 3])
    out = np.full((1, 1, 3), 99, np.uint8)
    refused(gfwx.MalformedError, gfwx.decode, data)
    refused(gfwx.MalformedError, gfwx.decode, data, out=out)
    refused(gfwx.MalformedError, gfwx.decode, data, partial=True)


def test_old_contents_of_out_never_show() -> None:
    for data in VALID.values():
        whole = gfwx.decode(data)
        for length in range(0, len(data), 7):
            out = np.full_like(whole, 99)
            expected, _ = gfwx.decode(data[:length], partial=True)
            image, _ = gfwx.decode(data[:length], partial=True, out=out)
            if expected is None:
                assert image is None
            else:
                assert np.shares_memory(image, out)
                np.testing.assert_array_equal(out, expected)


def test_programs_longer_than_the_bound() -> None:
    header = Header(1, 1, channels=3)
    terms = (MAX_PROGRAM_LENGTH - 5) // 2
    longest = bits(0, *(1, 1) * terms, -1, 1, 0, -1)
    data = file(header, longest, words=[1, 1, 1, *[0xFFFFFFFF] * 3])
    assert gfwx.decode(data).shape == (1, 1, 3)
    refused(
        gfwx.MalformedError, gfwx.decode, file(header, bits(0, *(1, 1) * (terms + 1), -1, 1, 0, -1))
    )
    endless = header.pack() + to_words(signed(2, 0) * 32).tobytes() * 100_000
    refused(gfwx.MalformedError, gfwx.decode, endless)
    refused(gfwx.MalformedError, gfwx.decode, endless, partial=True)


def test_numbers_of_programs_that_do_not_end() -> None:
    refused(gfwx.MalformedError, gfwx.decode, file(Header(1, 1, channels=3), "0" * 400))


# ---- unsupported


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (1, 2),
        (1, 2**32 - 1),
        (5, 16 << 24),
        (5, 16 << 24 | 1 << 23),
        (5, 255 << 24),
        (6, 9 << 24),
        (6, 1 << 16),
        (6, 4 << 8),
        (6, 14),
        (6, 255),
    ],
)
def test_what_the_format_does_not_define(word: int, value: int) -> None:
    for data in VALID.values():
        for call in (gfwx.decode, gfwx.read_header):
            refused(gfwx.UnsupportedError, call, with_word(data, word, value))
        refused(gfwx.UnsupportedError, gfwx.decode, with_word(data, word, value), partial=True)


# ---- limits


@pytest.mark.parametrize(
    "header",
    [
        Header(1, 1, layers=65536, channels=65536),
        Header(2**30, 2**30),
        Header(2**30, 2),
        Header(1, 2**29, channels=3),
        Header(32768, 32768, layers=2),
    ],
)
def test_pictures_over_the_limits(header: Header) -> None:
    for rest in (b"", bytes(16), file(header, words=[0, 0, 0])[header.size :]):
        data = header.pack() + rest
        refused(gfwx.LimitError, gfwx.decode, data)
        refused(gfwx.LimitError, gfwx.decode, data, partial=True)
        assert gfwx.read_header(data) == header  # the header itself is sound


def test_too_many_planes_whatever_max_pixels() -> None:
    header = Header(1, 1, layers=65536, channels=MAX_PLANES // 65536 + 1)
    refused(gfwx.LimitError, gfwx.decode, file(header), max_pixels=2**60)


@pytest.mark.parametrize("name", VALID)
def test_max_pixels(name: str) -> None:
    data = VALID[name]
    samples = gfwx.decode(data).size
    assert gfwx.decode(data, max_pixels=samples).size == samples
    refused(gfwx.LimitError, gfwx.decode, data, max_pixels=samples - 1)
    small = gfwx.decode(data, downsampling=1)
    assert gfwx.decode(data, downsampling=1, max_pixels=small.size).size == small.size
    refused(gfwx.LimitError, gfwx.decode, data, downsampling=1, max_pixels=small.size - 1)
    assert DEFAULT_MAX_PIXELS == 2**30


def test_great_pictures_without_data_cost_nothing() -> None:
    data = file(Header(2**30, 2**30), words=[0, 0, 0])
    refused(gfwx.MalformedError, gfwx.decode, data, downsampling=29)  # its block has no bits
    for missing in (b"", data[:31], data[:32]):
        refused(gfwx.IncompleteDataError, gfwx.decode, missing, downsampling=25)
