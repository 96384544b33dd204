"""Channel-transform programs: named, built, taken apart, checked (format, section 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gfwx
from gfwx import Intent, transforms
from gfwx.transforms import A710, A710_BGR, NONE, UYV, Step, program, resolve

AUTO = {"uyv": UYV, "a710": A710}[transforms.AUTO]


def test_named_programs_are_those_of_the_format() -> None:
    assert UYV == (0, 1, -1, -1, 1, 1, 2, 1, -1, -1, 1, 1, 1, 0, 1, 2, 1, -1, 4, 0, -1)
    assert (
        *(0, 1, -1, -1, 1, 1),
        *(2, 1, -2, 0, -1, -1, 2, 1),
        *(1, 2, 2, 0, 3, -1, 8, 0),
        -1,
    ) == A710
    exchanged = {0: 2, 1: 1, 2: 0}
    assert (
        program(
            Step(
                exchanged[step.target],
                {exchanged[source]: factor for source, factor in step.sources.items()},
                step.denominator,
                step.chroma,
            )
            for step in transforms.steps(A710)
        )
        == A710_BGR
    )


numbers = st.integers(-(2**31) + 1, 2**31 - 1)
any_step = st.builds(
    Step,
    st.integers(0, 20),
    st.dictionaries(st.integers(0, 20), numbers, max_size=5),
    numbers,
    st.booleans(),
)


@given(st.lists(any_step, max_size=6))
def test_steps_is_the_inverse_of_program(steps: list[Step]) -> None:
    assert transforms.steps(program(steps)) == steps


def test_a_source_named_twice_counts_twice() -> None:
    assert transforms.steps([0, 1, 2, 1, 3, -1, 1, 0, -1]) == [Step(0, {1: 5})]


def test_steps_cannot_be_changed() -> None:
    sources = {0: 1}
    step = Step(1, sources)
    sources[0] = 2
    assert step.sources == {0: 1}
    with pytest.raises(TypeError):
        step.sources[0] = 2  # type: ignore[index]


@pytest.mark.parametrize("intent", Intent)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_auto_is_for_red_green_and_blue(intent: Intent, channels: int) -> None:
    is_color = intent.startswith(("rgb", "bgr")) and channels >= 3
    expected = resolve(transforms.AUTO, intent, channels, 1) if is_color else NONE
    assert resolve("auto", intent, channels, 1) == expected


def test_the_order_follows_the_intent() -> None:
    for intent in (Intent.RGB, Intent.RGBA, Intent.GENERIC, Intent.CMYK):
        assert resolve("a710", intent, 4, 1) == A710
    for intent in (Intent.BGR, Intent.BGRA, Intent.BGRA_PREMULTIPLIED):
        assert resolve("a710", intent, 4, 1) == A710_BGR
        assert resolve("uyv", intent, 4, 1) == UYV


def test_every_layer_is_transformed() -> None:
    result = transforms.steps(resolve("uyv", Intent.RGBA, 4, 3))
    assert [step.target for step in result] == [0, 2, 1, 4, 6, 5, 8, 10, 9]
    assert result[-1] == Step(9, {8: 1, 10: 1}, 4)
    assert result[-2] == Step(10, {9: -1}, chroma=True)


def test_auto_goes_without_where_no_program_fits() -> None:
    most = (65536 - 1) // (len(AUTO) - 1)
    assert len(resolve("auto", Intent.RGB, 3, most)) <= 65536
    assert resolve("auto", Intent.RGB, 3, most + 1) == NONE
    with pytest.raises(gfwx.ArgumentError, match="more than 65536 integers"):
        resolve("uyv", Intent.RGB, 3, 65536)


def test_lists_arrays_and_steps_are_taken() -> None:
    expected = (1, 0, -1, -1, 1, 0, -1)
    assert resolve(None, Intent.RGB, 3, 1) == NONE
    assert resolve([], Intent.RGB, 3, 1) == NONE
    for transform in (list(expected), np.array(expected), [Step(1, {0: -1})]):
        result = resolve(transform, Intent.GENERIC, 2, 1)  # type: ignore[arg-type]
        assert result == expected
        assert all(type(number) is int for number in result)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ("yuv", "transform must be one of 'auto', 'uyv', 'a710', a program or None, got 'yuv'"),
        ("uyv", "transform 'uyv' needs 3 channels, got 2"),
        ([0, 1, 1, -1, 1, 0], "lacks the end mark"),
        ([0, 1, 1, -1, 1], "ends within a step"),
        ([0, 1, 1, -1], "ends within a step"),
        ([0, 1], "ends within a step"),
        ([-1, -1], "goes on after its end mark"),
        ([2, 1, 1, -1, 1, 0, -1], "names plane 2, but the planes are 0..1"),
        ([-2, 1, 1, -1, 1, 0, -1], "names plane -2"),
        ([0, 2, 1, -1, 1, 0, -1], "names plane 2"),
        ([0, -2, 1, -1, 1, 0, -1], "names plane -2"),
        ([0, 1, 1, -1, 1, 0, 0, 1, 1, -1, 1, 0, -1], "plane 0 as its target twice"),
        ([0, 1, 1, 0, 1, -1, 1, 0, -1], "reads its own target, plane 0"),
        ([0, 1, 1, -1, 1, -1, -1], "chroma flag of the transform is -1"),
        ([0, 1, 2**31, -1, 1, 0, -1], "31 bits"),
        ([0, *[1, 1] * 32768, -1, 1, 0, -1], "more than 65536 integers"),
        ([Step(-1, {0: 1})], "planes are counted from 0"),
        ([Step(0, {-1: 1})], "planes are counted from 0"),
    ],
)
def test_programs_that_cannot_be_encoded(transform: object, message: str) -> None:
    with pytest.raises(gfwx.ArgumentError, match=message):
        resolve(transform, Intent.GENERIC, 2, 1)  # type: ignore[arg-type]


HALF: Any = 0.5


@pytest.mark.parametrize("transform", [5, [HALF], [Step(0, {1: HALF})], [Step(0), 5], object()])
def test_wrong_types(transform: object) -> None:
    with pytest.raises(gfwx.ArgumentTypeError):
        resolve(transform, Intent.GENERIC, 2, 1)  # type: ignore[arg-type]


def test_readers_take_what_cannot_be_inverted_but_no_more() -> None:
    twice = (0, 1, 1, -1, 1, 7, 0, 0, 1, -1, 1, 0, -1)
    transforms.check_decodable(twice, 2)
    assert transforms.chroma_planes(twice, 2) == [False, False]
    for bad in ((2, -1, 1, 0, -1), (0, 2, 1, -1, 1, 0, -1), (0, -1, 1, -1, -1), (0, 1), (-2, -1)):
        with pytest.raises(gfwx.MalformedError):
            transforms.check_decodable(bad, 2)


def test_chroma_planes() -> None:
    assert transforms.chroma_planes(UYV, 4) == [True, False, True, False]
    assert transforms.chroma_planes((1, -1, 0, 9, -1), 2) == [False, True]
    assert transforms.chroma_planes(NONE, 2) == [False, False]
