"""Groups of frames to pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from numpy.typing import NDArray

from gfwx import codec, transforms
from gfwx.errors import ArgumentError
from gfwx.header import Header
from gfwx.limits import MAX_PLANES, MAX_PROGRAM_LENGTH
from gfwx.metadata import Metadata
from gfwx.sequences.prediction import Prediction, predicting_program
from gfwx.sequences.tiles import tiles

LEAST_GAIN: Final = 0.03
"""By how much prediction must make files smaller, since one frame then takes a whole group."""

CHOSEN_FOR: Final = 8
"""Groups that are coded in the same way, until it is chosen anew."""

FRAMES_KEY: Final = "frames"
"""Name of the values of frames in the metadata of their group."""

_ENCODERS: Final = ("fast", "high-bitrate")
_Way: TypeAlias = tuple[Prediction, transforms.Program, str]
"""Prediction, transform of the colors of a frame, and encoder."""


class GroupEncoder:
    """Encode groups of frames, predicted from each other or one by one.

    Parameters
    ----------
    prediction : {"auto", "previous", "mean"} or None
        See `Prediction`. "auto" is whichever makes some tiles of a group smallest, or None where
        that is not `LEAST_GAIN` less than without, and for lossy files.
    **options
        As for `encode`, but `metadata`.

    Raises
    ------
    ArgumentError
        The prediction is unknown, or is to be used for lossy files: their errors would add up.
    """

    def __init__(self, prediction: str | None, **options: Any) -> None:
        known = ("auto", *Prediction)
        if prediction is not None and prediction not in known:
            names = ", ".join(f"'{name}'" for name in known)
            raise ArgumentError(f"prediction must be {names} or None, got {prediction!r}")
        lossless = options.get("quality", 1024) == 1024 and options.get("chroma_scale", 1) == 1
        if prediction in tuple(Prediction) and not lossless:
            raise ArgumentError(
                f"prediction '{prediction}' is for lossless sequences: the errors of lossy frames "
                "would add up"
            )
        self._prediction = prediction if lossless else None
        self._options = {"transform": "auto", "encoder": "auto", **options}
        self._way: _Way | None = None
        self._groups = 0

    def check(self, frame: NDArray[Any]) -> None:
        """Refuse options that cannot be used, before a whole group is there.

        Parameters
        ----------
        frame : ndarray, (layers, height, width, channels)
            The first one.

        Raises
        ------
        GfwxError
            As `encode` does.
        """
        self._alone(frame[:, :2, :2])

    def encode(
        self, frames: NDArray[Any], values: Sequence[Mapping[str, Any]]
    ) -> list[tuple[int, bytes]]:
        """Encode a group.

        Parameters
        ----------
        frames : ndarray, (frames, layers, height, width, channels)
            The group.
        values : sequence of mapping
            What else is known of each frame.

        Returns
        -------
        list of (int, bytes)
            Pictures, and how many frames each holds: one with all, or each frame by itself.

        Raises
        ------
        GfwxError
            As `encode` does.
        """
        if self._groups % CHOSEN_FOR == 0:
            self._way = self._choose(frames) if self._can_predict(frames) else None
        self._groups += 1
        if self._way is None or len(frames) == 1:
            pairs = zip(frames, values, strict=True)
            return [(1, self._alone(frame, metadata=_metadata([known]))) for frame, known in pairs]
        return [(len(frames), self._together(frames, *self._way, metadata=_metadata(values)))]

    def _alone(self, frame: NDArray[Any], **more: Any) -> bytes:
        return codec.encode(frame, **{**self._options, **more})

    def _together(
        self,
        frames: NDArray[Any],
        prediction: Prediction,
        color: transforms.Program,
        encoder: str,
        **more: Any,
    ) -> bytes:
        count, layers, height, width, channels = frames.shape
        image = frames.reshape(count * layers, height, width, channels)
        program = predicting_program(prediction, count, layers, channels, color)
        settings = {"encoder": encoder, "transform": program}
        return codec.encode(image, **{**self._options, **settings, **more})

    def _can_predict(self, frames: NDArray[Any]) -> bool:
        """Whether there is anything to choose, and a program for so many planes can be stored."""
        if self._prediction is None or len(frames) == 1:
            return False
        count, layers, channels = len(frames), frames.shape[1], frames.shape[4]
        # A step for each plane has a term for each of the frames that predict it, and for colors.
        longest = count * layers * channels * (3 + 2 * 4 * 3)
        fits: bool = longest < MAX_PROGRAM_LENGTH and count * layers * channels <= MAX_PLANES
        if self._prediction != "auto" and not fits:
            raise ArgumentError(
                f"{count} frames of {layers * channels} planes are too many to be predicted "
                "from each other: make the groups smaller"
            )
        return fits

    def _choose(self, frames: NDArray[Any]) -> _Way | None:
        """Find the way that suits a group; None if prediction does not pay."""
        kinds = [kind for kind in Prediction if self._prediction in ("auto", kind)]
        samples = list(tiles(frames))
        color = _program(self._alone(samples[0][0], threads=1))
        encoder = self._options["encoder"]
        ways = [
            (kind, color, name)
            for kind in kinds
            for name in (_ENCODERS if encoder == "auto" else [encoder])
        ]
        sizes = [
            sum(len(self._together(tile, *way, threads=1)) for tile in samples) for way in ways
        ]
        if self._prediction == "auto":
            apart = sum(len(self._alone(one, threads=1)) for tile in samples for one in tile)
            if min(sizes) > (1 - LEAST_GAIN) * apart:
                return None
        return ways[sizes.index(min(sizes))]


def _program(data: bytes) -> transforms.Program:
    """Transform that a file has."""
    view = memoryview(data)
    return codec.read_program(view, Header.parse(view))[0]


def _metadata(values: Sequence[Mapping[str, Any]]) -> Metadata:
    """Metadata of a picture of some frames."""
    if not any(values):
        return Metadata()
    return Metadata(values={FRAMES_KEY: [dict(known) for known in values]})
