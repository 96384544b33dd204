"""What "auto" chooses: near the smallest file, whatever type, depth and quality."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gfwx
from gfwx import transforms
from gfwx.choice import choose
from gfwx.transforms import Step

ENCODERS = ("fast", "high-bitrate")


def scene(bits: int, noise: float = 0.01, seed: int = 1) -> NDArray[Any]:
    """Smooth hills with some noise, 200 x 300."""
    y, x = np.mgrid[:200, :300]
    grain = np.random.default_rng(seed).normal(0, noise, y.shape)
    hills = 0.4 + 0.3 * np.sin(x / 31) * np.cos(y / 17) + grain
    return np.clip(hills * 2**bits, 0, 2**bits - 1).astype(np.uint16 if bits > 8 else np.uint8)


def alike() -> NDArray[Any]:
    """Three channels that share most of what they show."""
    return np.stack([scene(8), scene(8), scene(8)], axis=-1) + np.arange(3, dtype=np.uint8)


def blue_between() -> NDArray[Any]:
    """Red and green with noise of their own; blue is the mean of both."""
    red, green = scene(8), scene(8, seed=2)
    blue = ((red.astype(np.uint16) + green) // 2).astype(np.uint8)
    return np.stack([red, green, blue], axis=-1)


def apart() -> NDArray[Any]:
    """Three channels that show different things."""
    return np.stack([scene(8), scene(8)[::-1], scene(8)[:, ::-1]], axis=-1)


def drawing() -> NDArray[Any]:
    """A few flat rectangles, gray."""
    image = np.zeros((200, 300), np.uint8)
    image[20:120, 30:200] = 90
    image[70:180, 120:280] = 200
    return image


def header_of(image: NDArray[Any], **options: Any) -> gfwx.Header:
    return gfwx.read_header(gfwx.encode(image, **options))


@pytest.mark.parametrize("quality", [1024, 256, 64, 16])
@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 16])
@pytest.mark.parametrize("intent", ["mono", "bayer-rggb"])
def test_the_encoder_is_near_the_smaller_file(bits: int, quality: int, intent: str) -> None:
    image = scene(bits)
    sizes = {
        encoder: len(gfwx.encode(image, quality, encoder=encoder, intent=intent))
        for encoder in ("auto", *ENCODERS)
    }
    assert sizes["auto"] <= 1.1 * min(sizes["fast"], sizes["high-bitrate"])


def test_each_encoder_is_chosen() -> None:
    for image in (scene(8), scene(12)):
        assert header_of(image).encoder == "high-bitrate"
        assert header_of(image, quality=16).encoder == "fast"
    assert header_of(drawing()).encoder == "fast"
    assert header_of(drawing().astype(np.uint16) * 256).encoder == "fast"


def test_colors_of_a_mosaic_are_not_taken_for_roughness() -> None:
    mosaic = np.zeros((64, 64), np.uint16)
    mosaic[::2, ::2] = 4000
    encoded = gfwx.encode(mosaic, intent="bayer-rggb")
    assert gfwx.read_header(encoded).encoder == "fast"
    assert len(encoded) <= len(gfwx.encode(mosaic, encoder="high-bitrate", intent="bayer-rggb"))


@pytest.mark.parametrize(
    ("picture", "expected"), [(alike, "uyv"), (blue_between, "a710"), (apart, None)]
)
@pytest.mark.parametrize("encoder", ["auto", "fast", "contextual"])
def test_each_transform_is_chosen(picture: Any, expected: str | None, encoder: str) -> None:
    image = picture()
    encoded = gfwx.encode(image, encoder=encoder)
    chosen = gfwx.read_header(encoded).encoder
    assert encoded == gfwx.encode(image, encoder=chosen, transform=expected)
    for other in ("uyv", "a710", None):
        assert len(encoded) <= len(gfwx.encode(image, encoder=chosen, transform=other))
    assert (gfwx.decode(encoded) == image).all()


@pytest.mark.parametrize("options", [{"quality": 1000}, {"chroma_scale": 2}])
def test_lossy_files_have_uyv(options: dict[str, Any]) -> None:
    for picture in (alike, blue_between, apart):
        encoded = gfwx.encode(picture(), encoder="fast", **options)
        assert encoded == gfwx.encode(picture(), encoder="fast", transform="uyv", **options)


def test_the_order_of_colors_follows_the_intent() -> None:
    image = np.ascontiguousarray(blue_between()[..., ::-1])
    expected = gfwx.encode(image, intent="bgr", encoder="high-bitrate", transform="a710")
    assert gfwx.encode(image, intent="bgr") == expected


@pytest.mark.parametrize(
    "transform", [None, "uyv", "a710", [1, 0, -1, -1, 1, 0, -1], [Step(2, {0: -1})], []]
)
def test_what_the_caller_wants_stays(transform: transforms.Transform) -> None:
    image = apart()
    sizes = {}
    for encoder in ENCODERS:
        data = gfwx.encode(image, encoder=encoder, transform=transform)
        sizes[data] = len(data)
    assert gfwx.encode(image, transform=transform) in sizes
    for quality in (1024, 64):
        header = header_of(image, quality=quality, encoder="contextual")
        assert header.encoder == "contextual"


def test_arrays_are_programs_too() -> None:
    image = apart()
    program = np.array([1, 0, -1, -1, 1, 0, -1])
    assert gfwx.encode(image, transform=program) == gfwx.encode(  # type: ignore[arg-type]
        image, transform=list(program)
    )


def test_the_choice_depends_on_the_samples_only() -> None:
    image = np.stack([blue_between(), apart()]).astype(np.uint16) * 16
    expected = gfwx.encode(image, threads=1)
    reversed_copy = np.ascontiguousarray(image[:, ::-1, ::-1])[:, ::-1, ::-1]
    for same in (image.astype(">u2"), np.asfortranarray(image), reversed_copy):
        assert gfwx.encode(same, threads=3) == expected
    signed = (image.astype(np.int32) - 32768).astype(np.int16)
    assert header_of(signed).encoder == gfwx.read_header(expected).encoder


@pytest.mark.parametrize(
    ("intent", "channels"),
    [*itertools.product(("rgb", "generic"), (1, 3, 5, 70)), ("bayer-grbg", 1)],
)
@pytest.mark.parametrize("layers", [1, 3, 40])
def test_any_number_of_layers_and_channels(intent: str, channels: int, layers: int) -> None:
    one = scene(8)[:20, :30, np.newaxis]
    image = np.broadcast_to(one, (layers, 20, 30, channels)) + np.arange(channels, dtype=np.uint8)
    encoded = gfwx.encode(image, intent=intent)
    assert (gfwx.decode(encoded, keep_dims=True) == image).all()


def test_a_noisy_layer_among_flat_ones_is_seen() -> None:
    image = np.zeros((9, 64, 64, 1), np.uint8)
    flat = gfwx.Header(width=64, height=64, layers=9, channels=1, intent=gfwx.Intent.MONO)
    assert choose(image, flat, None, 1) == ("fast", None)
    image[:] = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8)
    assert choose(image, flat, None, 1) == ("high-bitrate", None)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("shape", "intent"),
    [
        *itertools.product(
            [(1, 1), (1, 9), (9, 1), (5, 2), (1, 400), (400, 1)], [None, "bayer-gbrg"]
        ),
        *itertools.product([(8, 8, 3), (2, 3, 50), (1, 1, 70)], [None]),
    ],
)
def test_narrow_images(shape: tuple[int, ...], dtype: Any, intent: str | None) -> None:
    image = np.random.default_rng(3).integers(0, np.iinfo(dtype).max, shape, dtype)
    assert (gfwx.decode(gfwx.encode(image, intent=intent)) == image).all()


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (4, 90), (90, 4)])
def test_narrow_images_are_looked_at(shape: tuple[int, ...]) -> None:
    assert header_of(np.zeros(shape, np.uint8)).encoder == "fast"
    noise = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    assert header_of(noise).encoder == "high-bitrate"


def test_no_transform_where_no_program_fits() -> None:
    image = np.zeros((4000, 1, 1, 3), np.uint8)
    assert (gfwx.decode(gfwx.encode(image)) == 0).all()


def test_unknown_names_are_refused_with_any_encoder() -> None:
    for encoder in ("auto", "fast"):
        with pytest.raises(gfwx.ArgumentError, match="transform must be one of 'auto', 'uyv'"):
            gfwx.encode(alike(), encoder=encoder, transform="yuv")
