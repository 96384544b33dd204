"""Programs that predict the frames of a group from each other (format, section 5).

A group of frames is one picture whose layers are those of all frames. A step takes what other
frames tell from a plane, and does the color transform of what is left. Since a program may name
each plane as target once, both are one step: where the color transform alone would be
``target += sum(factor * source) / denominator``, every plane in it stands for its difference from
the mean of the frames that predict it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from gfwx.transforms import Program, Step, program, steps


class Prediction(StrEnum):
    """From which frames of its group a frame is predicted."""

    PREVIOUS = "previous"
    """From the frame before it."""

    MEAN = "mean"
    """From the mean of the last 1, 2 or 4 frames before it, which has less noise than one."""


_MOST_IN_MEAN: Final = 4


def references(prediction: Prediction, frame: int) -> range:
    """Frames of a group that predict one of them.

    Parameters
    ----------
    prediction : Prediction
        The kind.
    frame : int
        Number of the frame in its group.

    Returns
    -------
    range
        Numbers of 0, 1, 2 or 4 frames before it.
    """
    most = 1 if prediction is Prediction.PREVIOUS else _MOST_IN_MEAN
    count = min(most, 1 << (frame.bit_length() - 1)) if frame else 0
    return range(frame - count, frame)


def predicting_program(
    prediction: Prediction, frames: int, layers: int, channels: int, color: Program
) -> Program:
    """Build the program of a group of frames.

    Parameters
    ----------
    prediction : Prediction
        The kind.
    frames : int
        Number of frames in the group.
    layers, channels : int
        Of each frame.
    color : Program
        Transform of one frame's planes.

    Returns
    -------
    Program
        For a picture of ``frames * layers`` layers.
    """
    planes = layers * channels
    return program(
        step
        for frame in reversed(range(frames))  # each is predicted from others as they were
        for step in _frame_steps(frame, references(prediction, frame), planes, steps(color))
    )


def _frame_steps(frame: int, others: range, planes: int, color: list[Step]) -> Iterator[Step]:
    """Steps that predict one frame from others, and transform the colors of what is left."""
    count = max(1, len(others))
    predicted: set[int] = set()
    for step in color:
        denominator = max(1, step.denominator)
        sources: dict[int, int] = {}
        for plane, factor in step.sources.items():
            sources[frame * planes + plane] = factor * count
            if plane not in predicted:  # still as it was, so that its prediction is taken off here
                sources |= {other * planes + plane: -factor for other in others}
        sources |= {other * planes + step.target: -denominator for other in others}
        yield Step(frame * planes + step.target, sources, denominator * count, step.chroma)
        predicted.add(step.target)
    for plane in sorted(set(range(planes)) - predicted):
        if others:
            yield Step(
                frame * planes + plane, {other * planes + plane: -1 for other in others}, count
            )
