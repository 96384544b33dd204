"""Pictures on disk."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gfwx

IMAGE = np.random.default_rng(7).integers(0, 256, (30, 40, 3), np.uint8)


def test_a_picture_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "picture.gfwx"
    gfwx.imwrite(path, IMAGE, metadata=b"note")
    assert path.read_bytes() == gfwx.encode(IMAGE, metadata=b"note")
    np.testing.assert_array_equal(gfwx.imread(path), IMAGE)
    np.testing.assert_array_equal(gfwx.imread(str(path)), IMAGE)


def test_options_are_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "picture.gfwx"
    gfwx.imwrite(path, IMAGE, quality=100, chroma_scale=8)
    data = path.read_bytes()
    assert gfwx.read_header(data).quality == 100
    small = gfwx.imread(path, downsampling=1, keep_dims=True)
    assert small.shape == (1, 15, 20, 3)
    path.write_bytes(data[:-8])
    image, following = gfwx.imread(path, partial=True)
    assert image.shape == IMAGE.shape
    assert following is not None


def test_replacing_leaves_nothing_behind_and_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "picture.gfwx"
    path.write_bytes(b"old")
    path.chmod(0o640)
    gfwx.imwrite(path, IMAGE)
    assert list(tmp_path.iterdir()) == [path]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_picture_that_cannot_be_encoded_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "picture.gfwx"
    path.write_bytes(b"old")
    with pytest.raises(gfwx.ArgumentError):
        gfwx.imwrite(path, IMAGE, quality=0)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        gfwx.imwrite(tmp_path / "picture.gfwx", IMAGE)
    assert not list(tmp_path.iterdir())


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250 + ".gfwx")
    gfwx.imwrite(path, IMAGE)
    np.testing.assert_array_equal(gfwx.imread(path), IMAGE)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="needs symbolic links")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target.gfwx", tmp_path / "link.gfwx"
    target.write_bytes(b"old")
    link.symlink_to(target)
    gfwx.imwrite(link, IMAGE)
    assert link.is_symlink()
    np.testing.assert_array_equal(gfwx.imread(target), IMAGE)


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs a device")
def test_a_device_stays_a_device() -> None:
    gfwx.imwrite("/dev/null", IMAGE)
    assert not Path("/dev/null").is_file()
    with pytest.raises(gfwx.IncompleteDataError):
        gfwx.imread("/dev/null")


def test_headers_are_read_from_paths(tmp_path: Path) -> None:
    path = tmp_path / "picture.gfwx"
    gfwx.imwrite(path, IMAGE, metadata=b"note")
    header = gfwx.read_header(path)
    assert header == gfwx.read_header(str(path)) == gfwx.read_header(path.read_bytes())
    assert header.metadata == b"note"


@pytest.mark.parametrize("read", [gfwx.imread, gfwx.read_header])
def test_files_that_are_no_pictures_are_named(read: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(FileNotFoundError, match=re.escape(f"'{path}'") + "$"):
        read(path)
    path.touch()
    with pytest.raises(gfwx.IncompleteDataError, match=re.escape(f"{path}: ")) as caught:
        read(path)
    assert caught.value.next == 32
    path.write_bytes(b"\x89PNG\r\n\x1a\n" * 9)
    with pytest.raises(gfwx.MalformedError, match=re.escape(f"{path}: not a GFWX file")):
        read(path)
    path.unlink()  # nothing holds the file any more


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "picture.gfwx"
    for path in (missing, tmp_path):  # no such folder; a folder itself
        with pytest.raises(OSError, match=re.escape(f"'{path}'") + "$"):
            gfwx.imwrite(path, IMAGE)


def test_what_is_no_path_is_refused() -> None:
    for no_path in (None, 5, IMAGE, b"GFWX"):
        kind = type(no_path).__name__
        with pytest.raises(gfwx.ArgumentTypeError, match=f"path must be .*, got {kind}; .*imread"):
            gfwx.imread(no_path)  # type: ignore[arg-type]
    with pytest.raises(gfwx.ArgumentTypeError, match=r"path must be .*takes the path, then the"):
        gfwx.imwrite(IMAGE, "picture.gfwx")  # type: ignore[arg-type]


def test_an_empty_path_is_refused() -> None:
    for read in (gfwx.imread, gfwx.read_header):
        with pytest.raises(gfwx.ArgumentError, match="path must not be empty"):
            read("")
    with pytest.raises(gfwx.ArgumentError, match="path must not be empty"):
        gfwx.imwrite("", IMAGE)
