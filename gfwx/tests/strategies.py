"""Hypothesis strategies: pictures and parameters of encoding."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

QUICK = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    # The fixture `build` holds for all examples of a test.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
THOROUGH = settings(QUICK, max_examples=1500)

DTYPES = tuple(np.dtype(t) for t in (np.uint8, np.int8, np.uint16, np.int16))
KINDS = ("noise", "gentle", "smooth", "sparse", "extremes", "constant")
BAYER = range(2, 7)

# In int32 planes, coefficients must stay well below 2^31 to be representable in a file. Lifting
# makes them larger than the transformed samples, hence the room.
MAX_TRANSFORMED = 2**27


@st.composite
def images(draw: st.DrawFn, max_side: int, max_layers: int, max_channels: int) -> NDArray[Any]:
    """Pictures (layers, height, width, channels) of all kinds of content."""
    dtype = draw(st.sampled_from(DTYPES))
    side, short, long = (st.integers(1, most) for most in (max_side, 6, 6 * max_side))
    height, width = draw(
        st.tuples(side, side)
        | st.tuples(side, side)
        | st.tuples(short, long)
        | st.tuples(long, short)
    )
    shape = draw(st.integers(1, max_layers)), height, width, draw(st.integers(1, max_channels))
    return content(draw(st.sampled_from(KINDS)), shape, dtype, draw(st.integers(0, 2**16)))


def content(
    kind: str, shape: tuple[int, int, int, int], dtype: np.dtype[Any], seed: int
) -> NDArray[Any]:
    """A picture: hypothesis draws only what tells pictures apart, which is much faster."""
    random = np.random.default_rng(seed)
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    middle = random.integers(low, high, endpoint=True)
    noise = random.integers(low, high, shape, endpoint=True)
    y, x = np.indices(shape[1:3])
    samples = {
        "noise": noise,
        "gentle": middle + noise % 4,
        "smooth": (low + (high - low) * (np.sin(0.07 * x + 0.11 * y) + 1) / 2)[..., None]
        + noise % 3,
        "sparse": np.where(random.random(shape) < 0.03, noise, 0),
        "extremes": np.where(noise % 2, low, high),
        "constant": np.full(shape, middle),
    }[kind]
    image: NDArray[Any] = np.clip(samples, low, high).astype(dtype)
    return image


@st.composite
def programs(draw: st.DrawFn, planes: int, dtype: np.dtype[Any]) -> list[int] | None:
    """Transform programs that can be encoded (format, section 5)."""
    if draw(st.integers(0, 2)) == 0:
        return None
    largest = [8 * 2.0 ** (8 * dtype.itemsize)] * planes
    program = []
    numbers = st.integers(0, planes - 1)
    for target in draw(st.lists(numbers, unique=True, max_size=4)):
        terms = []
        others = [n for n in range(planes) if n != target]
        for source in draw(
            st.lists(st.sampled_from(others), max_size=3) if others else st.just([])
        ):
            terms.append((source, draw(st.integers(-3, 3) | st.integers(-40000, 40000))))
        sum_of_terms = sum(abs(factor) * largest[source] for source, factor in terms)
        if dtype.itemsize == 2 and largest[target] + sum_of_terms > MAX_TRANSFORMED:
            continue
        largest[target] += sum_of_terms
        denominator = draw(st.sampled_from((1, 0, 2, 3, 4, 7, 8, 16, 100, -4, 65538)))
        chroma_flag = draw(st.sampled_from((0, 1, 1, 2, -2)))
        program += [target, *(n for term in terms for n in term), -1, denominator, chroma_flag]
    return [*program, -1]


@st.composite
def parameters(draw: st.DrawFn, image: NDArray[Any], lossless: bool = False) -> dict[str, Any]:
    """Parameters for a picture, as `model.encode` takes them."""
    layers, _, _, channels = image.shape
    depths = st.integers(1, 8) if image.itemsize == 1 else st.integers(9, 16)
    qualities = st.sampled_from((1024, 1023, 700, 300, 100, 8, 1)) | st.integers(1, 1024)
    scales = st.sampled_from((1, 2, 8, 256)) | st.integers(1, 256)
    return {
        "quality": 1024 if lossless else draw(qualities),
        "chroma_scale": 1 if lossless else draw(scales),
        "block_size": draw(st.integers(2, 8) | st.just(30)),
        "filter": draw(st.integers(0, 8)),
        "encoder": draw(st.integers(1, 3)),
        "intent": draw(st.integers(0, 13) | st.sampled_from(BAYER)),
        "transform": draw(programs(layers * channels, image.dtype)),
        "metadata": draw(st.lists(st.integers(0, 2**32 - 1), max_size=3)),
        "bit_depth": draw(st.just(0) | depths),
    }


def encodable(image: NDArray[Any], chosen: dict[str, Any]) -> NDArray[Any]:
    """The picture with its planes as layers where they are mosaics, which are one channel each."""
    if chosen["intent"] not in BAYER:
        return image
    planes: NDArray[Any] = np.moveaxis(image, 3, 1).reshape(-1, *image.shape[1:3], 1)
    return planes
