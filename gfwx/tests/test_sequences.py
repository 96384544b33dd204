"""Sequences: frames come back, in any order, from whole files and from those that are not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gfwx
from gfwx import SequenceReader, SequenceWriter, transforms
from gfwx.sequences import Prediction, container, writer
from gfwx.sequences.prediction import predicting_program, references

SHAPES = [(40, 56), (40, 56, 3), (2, 33, 20, 1), (1, 1), (24, 30, 5), (2, 17, 30, 3)]


def still(
    count: int, shape: tuple[int, ...], dtype: Any = np.uint8, change: int = 2
) -> NDArray[Any]:
    """Make frames that show the same, each with some noise of its own."""
    source = np.random.default_rng(len(shape) + count)
    limits = np.iinfo(dtype)
    scene = source.integers(limits.min, limits.max - change, shape)
    return (scene + source.integers(0, change + 1, (count, *shape))).astype(dtype)


def write(path: Path, frames: NDArray[Any], **options: Any) -> Path:
    """Write a sequence."""
    with SequenceWriter(path, **options) as film:
        for frame in frames:
            film.append(frame)
    return path


def groups_of(path: Path) -> list[int]:
    """Count the frames in each group."""
    with path.open("rb") as file:
        return [group.frames for group in container.read_contents(file).groups]


@pytest.mark.parametrize("prediction", ["auto", None, *Prediction])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_frames_come_back(
    tmp_path: Path, prediction: str | None, dtype: Any, shape: tuple[int, ...]
) -> None:
    frames = still(11, shape, dtype)
    path = write(tmp_path / "film", frames, prediction=prediction)
    with SequenceReader(path) as film:
        assert film.is_complete and film.shape == frames.shape and film.dtype == frames.dtype
        assert len(film) == 11 and film.ndim == frames.ndim
        assert all((found == frame).all() for found, frame in zip(film, frames, strict=True))
        order = np.random.default_rng(0).permutation(11)
        assert all((film[int(number)] == frames[number]).all() for number in order)


@pytest.mark.parametrize(
    "transform", ["auto", "uyv", "a710", None, [transforms.Step(2, {0: 3}, 5)]]
)
@pytest.mark.parametrize("prediction", Prediction)
def test_any_transform_of_colors(tmp_path: Path, transform: Any, prediction: str) -> None:
    frames = still(9, (30, 41, 3))
    path = write(tmp_path / "film", frames, prediction=prediction, transform=transform)
    with SequenceReader(path) as film:
        assert (film[:] == frames).all()


@pytest.mark.parametrize("options", [{"intent": "bayer-grbg"}, {"encoder": "contextual"}], ids=str)
def test_options_of_encode(tmp_path: Path, options: dict[str, Any]) -> None:
    frames = still(9, (120, 210), np.uint16)
    path = write(tmp_path / "film", frames, bit_depth=14, **options)
    assert groups_of(path) == [8, 1]
    with SequenceReader(path) as film:
        assert (film[:] == frames).all()
    with path.open("rb") as file:
        offset = container.read_contents(file).groups[0].offset
        header = gfwx.read_header(path.read_bytes()[offset:])
    assert header.bit_depth == 14
    assert options.items() <= {"intent": header.intent, "encoder": header.encoder}.items()


def test_each_frame_is_predicted_from_frames_before_it() -> None:
    assert [list(references(Prediction.MEAN, frame)) for frame in range(7)] == [
        [],
        [0],
        [0, 1],
        [1, 2],
        [0, 1, 2, 3],
        [1, 2, 3, 4],
        [2, 3, 4, 5],
    ]
    assert [list(references(Prediction.PREVIOUS, frame)) for frame in range(3)] == [[], [0], [1]]


@pytest.mark.parametrize("prediction", Prediction)
@pytest.mark.parametrize("color", [transforms.UYV, transforms.A710, transforms.NONE])
def test_nothing_is_left_of_what_does_not_change(
    prediction: Prediction, color: transforms.Program
) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)
    together = np.repeat(frame, 8, 0)
    program = predicting_program(prediction, 8, 1, 3, color)
    alone = len(gfwx.encode(frame, transform=color, encoder="fast"))
    assert len(gfwx.encode(together, transform=program, encoder="fast")) < 1.1 * alone


def test_predicts_where_it_pays(tmp_path: Path) -> None:
    frames = still(16, (200, 300))
    path = write(tmp_path / "still", frames)
    assert groups_of(path) == [8, 8]
    apart = write(tmp_path / "apart", frames, prediction=None)
    assert path.stat().st_size < 0.5 * apart.stat().st_size

    others = np.random.default_rng(0).integers(0, 256, (16, 200, 300), np.uint8)
    assert groups_of(write(tmp_path / "others", others)) == [1] * 16


def test_lossy_frames_are_those_of_encode(tmp_path: Path) -> None:
    frames = still(5, (50, 70, 3))
    path = write(tmp_path / "film", frames, quality=100, chroma_scale=8)
    with SequenceReader(path) as film:
        for found, frame in zip(film, frames, strict=True):
            assert (found == gfwx.decode(gfwx.encode(frame, 100, chroma_scale=8))).all()
    for quality, chroma_scale in ((1023, 1), (1024, 2)):
        with pytest.raises(gfwx.ArgumentError, match="would add up"):
            SequenceWriter(path, prediction="mean", quality=quality, chroma_scale=chroma_scale)


def test_smaller_frames(tmp_path: Path) -> None:
    frames = np.repeat(still(1, (90, 121, 3)), 9, 0)
    for prediction in ("mean", None):
        path = write(tmp_path / "film", frames, prediction=prediction)
        expected = gfwx.decode(gfwx.encode(frames[0]), downsampling=2)
        with SequenceReader(path) as film:
            assert film.decode(7, downsampling=2).shape == expected.shape
            assert film.decode(7, downsampling=2, dtype=np.uint16).dtype == np.uint16
            assert (film.decode(0) == frames[0]).all()
            assert film.decode(3, keep_dims=True).shape == (1, 90, 121, 3)


def test_is_indexed_as_an_array(tmp_path: Path) -> None:
    frames = still(11, (20, 30, 3))
    with SequenceReader(write(tmp_path / "film", frames)) as film:
        for key in (
            *(3, -1, np.int64(4), slice(None), slice(2, 9, 3), slice(None, None, -1), slice(5, 5)),
            *((2, 3), (slice(3), slice(5, 9), 2), (-2, ..., 0), (slice(1, 9), ..., 1)),
        ):
            assert np.array_equal(film[key], frames[key])
        for number in (11, -12):
            with pytest.raises(IndexError, match="the sequence has 11"):
                film[number]
        for wrong in (1.0, "1", None, ...):
            with pytest.raises(gfwx.ArgumentTypeError, match="must be an int"):
                film[wrong]
        for name in ("out", "partial"):
            with pytest.raises(gfwx.ArgumentError, match=name):
                film.decode(0, **{name: True})
        with pytest.raises(gfwx.LimitError):
            film.decode(0, max_pixels=1000)


def test_what_is_returned_can_be_changed(tmp_path: Path) -> None:
    frames = still(8, (20, 30))
    with SequenceReader(write(tmp_path / "film", frames, prediction="mean")) as film:
        film[0][:] = 0
        assert (film[0] == frames[0]).all()


def test_values_and_metadata(tmp_path: Path) -> None:
    known = gfwx.Metadata(values={"camera": "upper"}, icc=b"profile")
    for prediction in ("mean", None):
        path = tmp_path / "film"
        with SequenceWriter(path, metadata=known, prediction=prediction) as film:
            for number, frame in enumerate(still(10, (20, 30))):
                film.append(frame, {"seconds": number / 25} if number != 4 else None)
            assert len(film) == 10
        with SequenceReader(path) as found:
            assert found.metadata == known
            assert found.values(3) == {"seconds": 3 / 25} and found.values(4) == {}
            assert found.values(-1) == {"seconds": 9 / 25}


def test_damaged_metadata_leave_the_frames(tmp_path: Path) -> None:
    path = tmp_path / "film"
    with SequenceWriter(path, metadata=gfwx.Metadata(values={"a": 1})) as film:
        film.append(np.ones((5, 6), np.uint8), {"b": 2})
    path.write_bytes(path.read_bytes().replace(b'{"a":1}', b'{"a":1,'))
    with SequenceReader(path) as found:
        with pytest.warns(gfwx.MetadataWarning):
            assert found.metadata == gfwx.Metadata()
        assert (found[0] == 1).all() and found.values(0) == {"b": 2}


def test_no_frames(tmp_path: Path) -> None:
    with SequenceReader(write(tmp_path / "film", np.zeros((0, 1, 1)))) as film:
        assert len(film) == 0 and film.is_complete and list(film) == [] and film[:].size == 0
        with pytest.raises(IndexError):
            film[0]


@pytest.mark.parametrize("prediction", ["mean", None])
def test_every_beginning_of_a_file_can_be_read(tmp_path: Path, prediction: str | None) -> None:
    frames = still(7, (9, 12))
    path = write(tmp_path / "film", frames, prediction=prediction, group_size=3)
    data = path.read_bytes()
    counts = []
    for length in range(len(data)):
        path.write_bytes(data[:length])
        if length < len(container.MAGIC):
            with pytest.raises(gfwx.MalformedError, match="not a sequence"):
                SequenceReader(path)
            continue
        with SequenceReader(path) as film:
            assert not film.is_complete
            counts.append(len(film))
            assert np.array_equal(film[:], frames[: len(film)] if len(film) else np.empty(0))
    assert counts == sorted(counts)
    assert set(counts) == ({0, 3, 6, 7} if prediction else set(range(8)))


def test_no_change_of_a_byte_does_worse_than_an_error(tmp_path: Path) -> None:
    frames = still(5, (8, 8))
    path = write(tmp_path / "film", frames, prediction="mean", group_size=2)
    data = path.read_bytes()
    source = np.random.default_rng(0)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= int(source.integers(1, 256))
        path.write_bytes(changed)
        try:
            with SequenceReader(path) as film:
                for number in range(min(len(film), 10)):
                    film.decode(number, max_pixels=100_000)
        except gfwx.GfwxError:
            pass


def test_a_damaged_index_is_not_needed(tmp_path: Path) -> None:
    frames = still(7, (9, 12))
    path = write(tmp_path / "film", frames, group_size=3, prediction="previous")
    data = path.read_bytes()
    index = data.rindex(b"INDX")
    for place in range(index, len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with SequenceReader(path) as film:
            assert (film[:] == frames).all()


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "picture.gfwx"
    gfwx.imwrite(path, np.ones((5, 5), np.uint8))
    with pytest.raises(gfwx.MalformedError, match="not a sequence"):
        SequenceReader(path)
    with pytest.raises(gfwx.UnsupportedError):
        gfwx.imread(write(tmp_path / "film", still(2, (5, 5))))
    with pytest.raises(OSError, match="nothing"):
        SequenceReader(tmp_path / "nothing")


def test_a_frame_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    frames = still(3, (5, 6, 3))
    with SequenceWriter(tmp_path / "film") as film:
        film.append(frames[0])
        for wrong in (frames[0, :4], frames[0, ..., 0], frames[0].astype(np.uint16)):
            with pytest.raises(gfwx.ArgumentError, match="as the first one, uint8 of 1 x 5 x"):
                film.append(wrong)
        with pytest.raises(gfwx.ArgumentTypeError):
            film.append(frames[0], values={1: 2})  # type: ignore[dict-item]
        film.append(frames[1])
    with pytest.raises(gfwx.ArgumentError, match="closed"):
        film.append(frames[2])
    with SequenceReader(tmp_path / "film") as found:
        assert (found[:] == frames[:2]).all()
    with pytest.raises(gfwx.ArgumentError, match="closed"):
        found[0]


def test_a_failing_program_keeps_its_frames(tmp_path: Path) -> None:
    frames = still(3, (5, 6))
    with pytest.raises(RuntimeError), SequenceWriter(tmp_path / "film") as film:
        for frame in frames:
            film.append(frame)
        raise RuntimeError
    with SequenceReader(tmp_path / "film") as found:
        assert (found[:] == frames).all() and found.is_complete


@pytest.mark.parametrize(
    "options",
    [
        {"prediction": "next"},
        {"group_size": 0},
        {"group_size": 1.5},
        {"metadata": b"bytes"},
    ],
    ids=str,
)
def test_bad_arguments_leave_what_is_there(tmp_path: Path, options: dict[str, Any]) -> None:
    path = write(tmp_path / "film", still(1, (5, 5)))
    before = path.read_bytes()
    with pytest.raises(gfwx.ArgumentError):
        SequenceWriter(path, **options)
    assert path.read_bytes() == before


@pytest.mark.parametrize("options", [{"quality": 0}, {"encoder": "best"}, {"intent": "sepia"}])
def test_bad_options_are_refused_with_the_first_frame(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    with SequenceWriter(tmp_path / "film", **options) as film, pytest.raises(gfwx.ArgumentError):
        film.append(np.zeros((300, 300), np.uint8))


def test_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_GROUP_SAMPLES", 1000)
    frames = still(7, (20, 20))
    assert groups_of(write(tmp_path / "film", frames, prediction="mean")) == [2, 2, 2, 1]


def test_too_many_planes_are_not_predicted(tmp_path: Path) -> None:
    frames = np.ones((2, 1, 2, 2000), np.uint8)
    assert groups_of(write(tmp_path / "film", frames)) == [1, 1]
    film = SequenceWriter(tmp_path / "film", prediction="previous")
    film.append(frames[0])
    film.append(frames[1])
    with pytest.raises(gfwx.ArgumentError, match="make the groups smaller"):
        film.close()


def test_reading_from_several_threads(tmp_path: Path) -> None:
    frames = still(24, (40, 50))
    order = np.random.default_rng(0).integers(0, 24, 200)
    with (
        SequenceReader(write(tmp_path / "film", frames)) as film,
        ThreadPoolExecutor(8) as pool,
    ):
        found = list(pool.map(lambda number: film[int(number)], order))
    assert all((one == frames[number]).all() for one, number in zip(found, order, strict=True))
