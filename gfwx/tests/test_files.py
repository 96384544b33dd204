"""Pictures on disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

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


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(FileNotFoundError):
        gfwx.imread(path)
    path.touch()
    with pytest.raises(gfwx.IncompleteDataError):
        gfwx.imread(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" * 9)
    with pytest.raises(gfwx.MalformedError):
        gfwx.imread(path)
    path.unlink()  # nothing holds the file any more
