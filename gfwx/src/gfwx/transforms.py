"""Channel-transform programs: named, built from readable steps, checked (format, section 5).

A program adds to planes a weighted sum of other planes before the wavelet, so that what planes have
in common is coded once. Planes are numbered over all layers, ``layer * channels + channel``: one
band, or one frame of a sequence, may be predicted from another.

>>> from gfwx.transforms import Step, program
>>> program([Step(target=1, sources={0: -1})])  # plane 1 keeps what plane 0 does not tell
(1, 0, -1, -1, 1, 0, -1)
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final, TypeAlias

from gfwx.errors import ArgumentError, ArgumentTypeError, GfwxError, MalformedError
from gfwx.header import Intent
from gfwx.limits import MAX_PROGRAM_LENGTH

Program: TypeAlias = tuple[int, ...]
"""Flat integers as in section 5: target, (source, factor)*, -1, denominator, flag; at last -1."""

Transform: TypeAlias = "str | Sequence[int] | Sequence[Step] | None"
"""What `encode` takes: "auto", a name of `NAMED`, a program, steps, or None for none."""

NONE: Final[Program] = (-1,)
"""The program without steps."""

_MAX_FACTOR: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a program: ``target += sum(factor * source) / denominator``.

    Parameters
    ----------
    target : int
        Plane that is changed. A plane can be the target of one step only.
    sources : mapping of int to int
        Factor of each plane that is added. Earlier steps have already changed these planes, later
        ones have not. The target itself cannot be among them.
    denominator : int, default 1
        Divides the sum: rounding down for 2, 4 and 8, toward zero for others. The format takes 0
        and negative numbers as 1.
    chroma : bool, default False
        Whether the target is coded with the quality for chroma (see `Header.chroma_quality`).
    """

    target: int
    sources: Mapping[int, int] = field(default_factory=dict)
    denominator: int = 1
    chroma: bool = False

    def __post_init__(self) -> None:
        # Frozen throughout, so that a step cannot change after it was checked.
        object.__setattr__(self, "sources", MappingProxyType(dict(self.sources)))


def program(steps: Iterable[Step]) -> Program:
    """Build a program from steps.

    Parameters
    ----------
    steps : iterable of Step
        Steps in the order of encoding.

    Returns
    -------
    Program
        Flat integers, with the end mark.

    Raises
    ------
    ArgumentTypeError
        A number is no integer.
    ArgumentError
        A plane is negative.
    """
    flat: list[int] = []
    for step in steps:
        try:
            target = operator.index(step.target)
            terms = [operator.index(n) for term in step.sources.items() for n in term]
            denominator = operator.index(step.denominator)
        except TypeError:
            raise ArgumentTypeError(f"a transform consists of integers, got {step}") from None
        if target < 0 or any(source < 0 for source in terms[::2]):
            raise ArgumentError(f"planes are counted from 0, got {step}")
        flat += [target, *terms, -1, denominator, int(bool(step.chroma))]
    return (*flat, -1)


def steps(program: Sequence[int]) -> list[Step]:
    """Take a program apart into steps: the inverse of the function `program`.

    Parameters
    ----------
    program : sequence of int
        Flat integers, with the end mark.

    Returns
    -------
    list of Step
        Steps in the order of encoding. A source named twice in a step has the sum of its factors.

    Raises
    ------
    ArgumentError
        The integers do not end where a program ends.
    """
    return [
        Step(target, _merged(terms), denominator, flag != 0)
        for target, terms, denominator, flag in _parse(program, ArgumentError)
    ]


UYV: Final[Program] = program(
    [
        Step(target=0, sources={1: -1}, chroma=True),
        Step(target=2, sources={1: -1}, chroma=True),
        Step(target=1, sources={0: 1, 2: 1}, denominator=4),
    ]
)
"""R -= G; B -= G; G += (R + B) / 4. The same for R G B and B G R."""

A710: Final[Program] = program(
    [
        Step(target=0, sources={1: -1}, chroma=True),
        Step(target=2, sources={1: -2, 0: -1}, denominator=2, chroma=True),
        Step(target=1, sources={2: 2, 0: 3}, denominator=8),
    ]
)
"""R -= G; B -= (2 G + R) / 2; G += (2 B + 3 R) / 8, for R G B."""

A710_BGR: Final[Program] = program(
    [
        Step(target=2, sources={1: -1}, chroma=True),
        Step(target=0, sources={1: -2, 2: -1}, denominator=2, chroma=True),
        Step(target=1, sources={0: 2, 2: 3}, denominator=8),
    ]
)
"""A710 for B G R."""

AUTO: Final = "uyv"
"""What "auto" means for red, green and blue, where the picture is not looked at."""

NAMED: Final[Mapping[str, Program]] = MappingProxyType({"uyv": UYV, "a710": A710})
"""Programs by name, for R G B."""

_BGR: Final = frozenset({Intent.BGR, Intent.BGRA, Intent.BGRA_PREMULTIPLIED})
_COLOR: Final = _BGR | {Intent.RGB, Intent.RGBA, Intent.RGBA_PREMULTIPLIED}


def resolve(transform: Transform, intent: Intent, channels: int, layers: int) -> Program:
    """Program that an argument ``transform`` stands for, checked for encoding.

    Parameters
    ----------
    transform : str, sequence of int, sequence of Step, or None
        "auto", "uyv", "a710", a program, steps, or None. The named ones transform the first three
        channels of every layer, in the order of the intent; "auto" is UYV for RGB(A) and BGR(A),
        and nothing for other pictures (`encode` chooses by the picture first).
    intent : Intent
        What the channels mean.
    channels, layers : int
        Of the picture.

    Returns
    -------
    Program
        Flat integers, with the end mark.

    Raises
    ------
    ArgumentError
        The name is unknown, needs more channels, or the program cannot be encoded.
    ArgumentTypeError
        `transform` is of another type.
    """
    if transform is None:
        return NONE
    if isinstance(transform, str):
        return _resolve_name(transform, intent, channels, layers)
    try:
        items = tuple(transform)
        if not items or isinstance(items[0], Step):
            items = program(items)  # type: ignore[arg-type]
        flat = tuple(operator.index(item) for item in items)  # type: ignore[arg-type]
    except (TypeError, AttributeError):
        raise ArgumentTypeError(
            f"transform must be a name, integers, steps or None, got {transform!r}"
        ) from None
    check_encodable(flat, layers * channels)
    return flat


@lru_cache(maxsize=16)
def _resolve_name(name: str, intent: Intent, channels: int, layers: int) -> Program:
    if name == "auto":
        length = len(NAMED[AUTO]) - 1
        suits = channels >= 3 and layers * length < MAX_PROGRAM_LENGTH
        if intent not in _COLOR or not suits:
            return NONE
        name = AUTO
    if name not in NAMED:
        known = ", ".join(f"'{known}'" for known in ("auto", *NAMED))
        raise ArgumentError(f"transform must be one of {known}, a program or None, got '{name}'")
    if channels < 3:
        raise ArgumentError(f"transform '{name}' needs 3 channels, got {channels}")
    one = A710_BGR if name == "a710" and intent in _BGR else NAMED[name]
    result = program(
        Step(
            step.target + first,
            {source + first: factor for source, factor in step.sources.items()},
            step.denominator,
            step.chroma,
        )
        for first in range(0, layers * channels, channels)
        for step in steps(one)
    )
    check_encodable(result, layers * channels)
    return result


@lru_cache(maxsize=16)
def check_encodable(program: Program, planes: int) -> None:
    """Check that a program can be written to a file and inverted when the file is read.

    Parameters
    ----------
    program : Program
        Flat integers, with the end mark.
    planes : int
        Number of planes of the picture.

    Raises
    ------
    ArgumentError
        The program is cut off or too long, names a plane that does not exist, changes a plane
        twice, reads the plane that it changes, or has a chroma flag of -1.
    """
    targets: set[int] = set()
    for target, terms, _, flag in _parse(program, ArgumentError):
        _check_planes(target, terms, flag, planes, ArgumentError)
        if target in targets:
            raise ArgumentError(f"the transform has plane {target} as its target twice")
        if target in terms[::2]:
            raise ArgumentError(f"a step of the transform reads its own target, plane {target}")
        targets.add(target)
    if any(abs(n) > _MAX_FACTOR for n in program):
        raise ArgumentError("the numbers of a transform must have at most 31 bits and a sign")


@lru_cache(maxsize=16)
def check_decodable(program: Program, planes: int) -> None:
    """Check that a program from a file can be carried out.

    Parameters
    ----------
    program : Program
        Flat integers, with the end mark.
    planes : int
        Number of planes of the picture.

    Raises
    ------
    MalformedError
        The program is cut off or too long, names a plane that does not exist, or has a chroma flag
        of -1.
    """
    for target, terms, _, flag in _parse(program, MalformedError):
        _check_planes(target, terms, flag, planes, MalformedError)


def in_reverse(program: Program) -> Program:
    """Program with its steps in reverse order, in which decoding undoes them.

    Parameters
    ----------
    program : Program
        Flat integers, with the end mark, checked.

    Returns
    -------
    Program
        The same steps, last first.
    """
    reverse: list[int] = []
    for target, terms, denominator, flag in reversed(_parse(program, MalformedError)):
        reverse += [target, *terms, -1, denominator, flag]
    return (*reverse, -1)


@lru_cache(maxsize=16)
def may_overflow(program: Program, boost: int, itemsize: int) -> bool:
    """Tell whether coefficients of 16-bit samples might reach -2^31, which cannot be coded.

    Parameters
    ----------
    program : Program
        Flat integers, with the end mark, checked.
    boost : int
        Factor on samples, 1 or 8.
    itemsize : int
        Bytes of a sample.

    Returns
    -------
    bool
        False if they stay below 2^31 in magnitude for certain, lifting included.
    """
    if itemsize == 1:
        return False
    most = dict.fromkeys((n for step in steps(program) for n in step.sources), boost << 16)
    for step in steps(program):
        total = sum(abs(factor) * most[source] for source, factor in step.sources.items())
        most[step.target] = most.get(step.target, boost << 16) + total
    return max(most.values(), default=0) >= 1 << 27  # lifting adds less than four bits


def chroma_planes(program: Program, planes: int) -> list[bool]:
    """Tell which planes are chroma, that is, coded with the quality for chroma.

    Parameters
    ----------
    program : Program
        Flat integers, with the end mark, checked.
    planes : int
        Number of planes of the picture.

    Returns
    -------
    list of bool
        One for each plane: whether the last step that has it as its target says so.
    """
    chroma = [False] * planes
    for target, _, _, flag in _parse(program, MalformedError):
        chroma[target] = flag != 0
    return chroma


def _parse(
    program: Sequence[int], error: type[GfwxError]
) -> list[tuple[int, Sequence[int], int, int]]:
    """(target, (source, factor)*, denominator, flag) of each step; raises `error` if cut off."""
    if len(program) > MAX_PROGRAM_LENGTH:
        raise error(f"the transform has more than {MAX_PROGRAM_LENGTH} integers")
    parsed = []
    at = 0
    try:
        while program[at] != -1:
            end = at + 1
            while program[end] != -1:
                end += 2
            parsed.append((program[at], program[at + 1 : end], program[end + 1], program[end + 2]))
            at = end + 3
    except IndexError:
        raise error("the transform ends within a step, or lacks the end mark -1") from None
    if at + 1 != len(program):
        raise error("the transform goes on after its end mark -1")
    return parsed


def _check_planes(
    target: int, terms: Sequence[int], flag: int, planes: int, error: type[GfwxError]
) -> None:
    for plane in (target, *terms[::2]):
        if not 0 <= plane < planes:
            raise error(f"the transform names plane {plane}, but the planes are 0..{planes - 1}")
    if flag == -1:
        raise error("a chroma flag of the transform is -1")


def _merged(terms: Sequence[int]) -> dict[int, int]:
    merged: dict[int, int] = {}
    for source, factor in zip(terms[::2], terms[1::2], strict=True):
        merged[source] = merged.get(source, 0) + factor
    return merged
