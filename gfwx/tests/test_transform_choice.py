"""What transform="auto" chooses: near the smaller file, at little cost, whatever the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gfwx
from gfwx import Intent, transforms
from gfwx.header import Header
from gfwx.transform_choice import LEAST_PIXELS, choose_transform

SIDE = 2048
assert SIDE * SIDE >= LEAST_PIXELS


def correlated(weights: tuple[float, float, float], dtype: Any = np.uint8) -> NDArray[Any]:
    """Noise of which blue follows red and green, plus some noise of each channel's own."""
    random = np.random.default_rng(7)
    full = np.iinfo(dtype).max
    luma = random.normal(0, 0.02, (SIDE, SIDE))
    red = luma * weights[0] + random.normal(0, 0.01, luma.shape)
    green = luma * weights[1]
    blue = (red + green) / 2 * weights[2] + random.normal(0, 0.002, luma.shape)
    image = 0.5 + np.stack((red, green, blue), axis=2)
    return np.clip(image * full, 0, full).astype(dtype)


def header_of(image: NDArray[Any], intent: str = "rgb", **changes: Any) -> Header:
    height, width, channels = image.shape
    return Header(
        width=width,
        height=height,
        channels=channels,
        intent=intent,  # type: ignore[arg-type]
        **changes,
    )


@pytest.mark.parametrize("intent", Intent)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_small_pictures_are_uyv_if_they_have_colors(intent: Intent, channels: int) -> None:
    image = np.zeros((8, 8, channels), np.uint8)
    is_color = intent.startswith(("rgb", "bgr")) and channels >= 3
    expected = "uyv" if is_color else None
    assert choose_transform(image[np.newaxis], header_of(image, intent)) == expected


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 1, 0.2)])
def test_the_smaller_file_is_chosen(weights: tuple[float, float, float], dtype: Any) -> None:
    image = correlated(weights, dtype)
    sizes = {name: len(gfwx.encode(image, transform=name)) for name in ("auto", "uyv", "a710")}
    assert sizes["auto"] <= 1.005 * min(sizes["uyv"], sizes["a710"])


def test_each_choice_is_made() -> None:
    chosen = set()
    for weights in ((1.0, 1.0, 1.0), (1.0, 1.0, 0.2), (0.1, 1.0, 2.0)):
        image = correlated(weights)
        chosen.add(choose_transform(image[np.newaxis], header_of(image)))
    assert chosen == {"uyv", "a710"}


def test_the_order_of_channels_changes_nothing() -> None:
    image = correlated((1, 1, 1))
    rgb = gfwx.encode(image, transform="auto")
    bgr = gfwx.encode(image[..., ::-1], transform="auto", intent="bgr")
    assert len(rgb) == len(bgr)
    alpha = np.concatenate((image, image[..., :1]), axis=2)
    names = {
        choose_transform(image[np.newaxis], header_of(image)),
        choose_transform(alpha[np.newaxis], header_of(alpha, "rgba")),
        choose_transform(image[np.newaxis, ..., ::-1], header_of(image, "bgr")),
    }
    assert names == {"a710"}


@pytest.mark.parametrize("changes", [{"quality": 1023}, {"chroma_scale": 2}])
def test_lossy_pictures_are_uyv(changes: dict[str, Any]) -> None:
    image = correlated((1, 1, 1))
    assert choose_transform(image[np.newaxis], header_of(image, **changes)) == "uyv"


@pytest.mark.parametrize(
    "shape", [(1, LEAST_PIXELS), (LEAST_PIXELS, 1), (3, 3 * LEAST_PIXELS // 8)]
)
def test_narrow_pictures(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(3)
    image = random.integers(0, 9, (*shape, 3), np.uint8)
    assert np.array_equal(gfwx.decode(gfwx.encode(image)), image)


def test_no_program_is_too_long() -> None:
    def choice(layers: int) -> str | None:
        header = Header(width=SIDE, height=SIDE, layers=layers, channels=3, intent=Intent.RGB)
        image = np.broadcast_to(correlated((1, 1, 1)), (layers, SIDE, SIDE, 3))
        return choose_transform(image, header)

    most_a710, most_uyv = (
        (65536 - 1) // (len(program) - 1) for program in (transforms.A710, transforms.UYV)
    )
    assert choice(most_a710) == "a710"
    assert choice(most_a710 + 1) == "uyv"
    assert choice(most_uyv) == "uyv"
    assert choice(most_uyv + 1) is None
