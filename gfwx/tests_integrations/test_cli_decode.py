"""``gfwx decode``, ``info``, ``verify``, ``thumbnail``, ``truncate``, ``compare``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import colors, folder_of_pictures, opened, run
from numpy.typing import NDArray
from PIL import Image

import gfwx
from gfwx import raw


def smooth(height: int = 200, width: int = 300) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    return np.stack([x // 2, y, (x ^ y) // 4], axis=-1).astype(np.uint8)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    gfwx.imwrite(tmp_path / "picture.gfwx", smooth())
    return tmp_path / "picture.gfwx"


def test_arrays_of_every_kind_come_back_as_npy(tmp_path: Path) -> None:
    source = np.random.default_rng(0)
    for number, (shape, dtype) in enumerate(
        (
            ((9, 11), np.int8),
            ((9, 11, 5), np.uint8),
            ((3, 9, 11, 2), np.int16),
            ((2, 9, 11, 1), np.uint16),
        )
    ):
        array = source.integers(-99 if np.iinfo(dtype).min else 0, 100, shape, dtype)
        for order in ("C", "F"):
            np.save(tmp_path / "a.npy", np.asarray(array, order=order))  # type: ignore[call-overload]
            made = tmp_path / f"{number}{order}.gfwx"
            assert run("encode", tmp_path / "a.npy", "-o", made).exit_code == 0
            back = made.with_suffix(".npy")
            assert run("decode", made, "-o", back).exit_code == 0
            np.testing.assert_array_equal(np.load(back), array, strict=True)
            assert "there already" in run("decode", made, "-o", back).stderr


def test_png_has_no_place_for_everything(tmp_path: Path) -> None:
    cases = {
        "signed": gfwx.encode(np.zeros((4, 4), np.int8)),
        "layers": gfwx.encode(np.zeros((2, 4, 4, 3), np.uint8)),
        "bands": gfwx.encode(np.zeros((4, 4, 5), np.uint8)),
        "four": gfwx.encode(np.zeros((4, 4, 4), np.uint8), intent="generic"),
        "ink": gfwx.encode(np.zeros((4, 4, 4), np.uint8), intent="cmyk"),
        "misnamed": gfwx.encode(np.zeros((4, 4, 2), np.uint8), intent="rgb"),
    }
    for name, data in cases.items():
        (tmp_path / f"{name}.gfwx").write_bytes(data)
    result = run("decode", tmp_path, "-j", 1)
    assert result.exit_code == 1
    for name in cases:
        assert re.search(rf"{name}\.gfwx: PNG has no place for .*tiff and npy", result.stderr)
    assert not list(tmp_path.glob("*.png"))


def test_blue_first_becomes_red_first(tmp_path: Path) -> None:
    gfwx.imwrite(tmp_path / "a.gfwx", smooth()[..., ::-1], intent="bgr")
    assert run("decode", tmp_path / "a.gfwx").exit_code == 0
    np.testing.assert_array_equal(opened(tmp_path / "a.png")[0], smooth())


def test_smaller_pictures(picture: Path) -> None:
    back = picture.with_name("small.png")
    assert run("decode", picture, "-d", 2, "-o", back).exit_code == 0
    np.testing.assert_array_equal(opened(back)[0], gfwx.imread(picture, downsampling=2))
    result = run("decode", picture, "-d", 20, "-o", back, "--force")
    assert result.exit_code == 1
    assert "downsampling of this file must be 0..8" in result.stderr


def test_names_and_formats_that_contradict_each_other(picture: Path) -> None:
    assert run("decode", picture, "-o", "a.npy", "--format", "png").exit_code == 2
    folder = picture.with_name("folder")
    assert run("decode", picture, "-o", folder, "--format", "npy").exit_code == 0
    np.testing.assert_array_equal(np.load(folder / "picture.npy"), smooth())


def test_incomplete_and_damaged_files(picture: Path) -> None:
    data = picture.read_bytes()
    bad = {
        "cut": (data[:-8], "it ends early, after .* --partial decodes"),
        "start": (data[:20], "it ends early"),
        "empty": (b"", "it ends early"),
        "foreign": (b"\x89PNG\r\n\x1a\n" * 9, "not a GFWX file"),
        "huge": (data[:8] + b"\0\0\0\x40" * 2 + data[16:], "samples"),
        "future": (data[:4] + b"\2" + data[5:], "version"),
    }
    for name, (content, _) in bad.items():
        picture.with_name(f"{name}.gfwx").write_bytes(content)
    result = run("decode", picture.parent, picture.with_name("missing.gfwx"), "-j", 1)
    assert result.exit_code == 1
    for name, (_, words) in bad.items():
        assert re.search(rf"^Error: .*{name}\.gfwx: .*{words}", result.stderr, re.M), name
    assert "missing.gfwx: No such file or directory" in result.stderr
    assert [path.name for path in picture.parent.glob("*.png")] == ["picture.png"]
    cut = picture.with_name("cut.gfwx")
    assert run("decode", cut, "--partial").exit_code == 0
    expected = gfwx.decode(data[:-8], partial=True)[0]
    np.testing.assert_array_equal(opened(cut.with_suffix(".png"))[0], expected)
    for command in ("info", "verify"):
        result = run(command, picture.with_name("foreign.gfwx"))
        assert result.exit_code == 1
        assert re.fullmatch(r"Error: .*foreign\.gfwx: not a GFWX file.*\n", result.stderr)


def test_a_damaged_output_is_made_again(picture: Path) -> None:
    for name in ("a.png", "a.npy"):
        back = picture.with_name(name)
        assert run("decode", picture, "-o", back).exit_code == 0
        whole = back.read_bytes()
        back.write_bytes(whole[:-5])
        assert run("decode", picture, "-o", back).exit_code == 0
        assert back.read_bytes() == whole
        assert "there already" in run("decode", picture, "-o", back).stderr


def test_info_says_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "a.gfwx"
    known = gfwx.Metadata(exif=b"II*\0", values={"lens": 50}, checksum=7)
    gfwx.imwrite(path, smooth(), quality=200, chroma_scale=4, transform="a710", metadata=known)
    found = json.loads(run("info", "--json", path).stdout)
    header = gfwx.read_header(path)
    for name in ("width", "height", "channels", "layers", "quality", "chroma_scale", "encoder"):
        assert found[name] == getattr(header, name)
    assert found["bytes"] == path.stat().st_size
    assert found["bits_per_pixel"] == pytest.approx(8 * found["bytes"] / 60000, abs=1e-4)
    assert found["transform"] == "a710"
    assert not found["lossless"]
    assert found["complete"]
    assert found["metadata"]["exif"] == 4
    assert found["metadata"]["values"] == {"lens": 50}
    assert found["metadata"]["checksum"] == "00000007"
    data = path.read_bytes()
    assert found["levels"][-1]["end"] == len(data)
    for level in found["levels"]:  # so many bytes are enough, and fewer are not
        options = {"downsampling": level["downsampling"], "partial": True}
        image, following = gfwx.decode(data[: level["end"]], **options)
        assert following is None
        assert image.shape == (level["height"], level["width"], 3)
        assert gfwx.decode(data[: level["end"] - 4], **options)[1] is not None
    shown = run("info", path).stdout
    assert re.search(r"quality\W+200\b", shown)
    assert f" {found['levels'][3]['end']} " in shown


def test_verify_finds_what_is_different(tmp_path: Path) -> None:
    picture = colors()
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert run("encode", tmp_path / "a.png").exit_code == 0
    made = tmp_path / "a.gfwx"
    assert "the checksum is right" in run("verify", made).stdout
    assert "all samples are those of" in run("verify", made, "-s", tmp_path / "a.png").stdout
    other = picture.copy()
    other[3, 4, 1] ^= 1
    Image.fromarray(other).save(tmp_path / "other.png")
    result = run("verify", made, "-s", tmp_path / "other.png")
    assert result.exit_code == 1
    assert "1 of 6000 samples are not those of" in result.stderr
    Image.fromarray(other[1:]).save(tmp_path / "less.png")
    assert "of shape (1, 39, 50, 3)" in run("verify", made, "-s", tmp_path / "less.png").stderr
    data = bytearray(made.read_bytes())
    data[-9] ^= 16
    made.write_bytes(data)
    result = run("verify", made)
    assert result.exit_code == 1
    assert "its pixels are damaged" in result.stderr
    gfwx.imwrite(made, picture)
    assert "it has no checksum" in run("verify", made).stderr
    gfwx.imwrite(made, picture, quality=100)
    errors = np.abs(gfwx.imread(made).astype(int) - picture)
    result = run("verify", made, "-s", tmp_path / "a.png")
    assert result.exit_code == 0
    assert f"by up to {errors.max()}, {errors.mean():.3f} on average" in result.stdout
    missing = run("verify", made, "-s", tmp_path / "missing.png")
    assert missing.exit_code == 2
    assert "missing.png" in missing.stderr


def test_verify_takes_folders(tmp_path: Path) -> None:
    folder_of_pictures(tmp_path / "in", 4)
    assert run("encode", tmp_path / "in", "-o", tmp_path / "out").exit_code == 0
    names = [f"{tmp_path}/out/{name}.gfwx" for name in ("000", "002", "deep/001", "deep/003")]
    result = run("verify", tmp_path / "out", "-j", 2)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"{name}: the checksum is right" for name in names]
    assert run("verify", tmp_path / "out", "--source", tmp_path / "in/000.png").exit_code == 2
    (tmp_path / "in" / "000.png").unlink()
    Image.fromarray(colors(40, 40, 7)).save(tmp_path / "in" / "002.png")
    Image.fromarray(colors(40, 40, 1)).save(tmp_path / "in" / "deep" / "001.bmp")
    result = run("verify", tmp_path / "out", "--source", tmp_path / "in", "-j", 1)
    assert result.exit_code == 1
    assert result.stdout == f"{names[3]}: all samples are those of {tmp_path}/in/deep/003.png\n"
    for words in ("000.gfwx: there is no picture for it", "001.gfwx: there is more than one"):
        assert words in result.stderr
    assert re.search(r"002.gfwx: 47\d\d of 4800 samples are not those", result.stderr)


def test_thumbnails_come_from_the_beginnings_of_files(picture: Path) -> None:
    whole = gfwx.imread(picture, downsampling=3)
    picture.write_bytes(picture.read_bytes()[: picture.stat().st_size // 4])
    assert run("thumbnail", picture, "--size", 40).exit_code == 0
    found = opened(picture.with_name("picture-thumbnail.png"))[0]
    np.testing.assert_array_equal(found, whole)
    result = run("thumbnail", picture, "--size", 300, "--force")
    assert result.exit_code == 1
    assert result.stderr.endswith("picture.gfwx: it ends early\n")


def test_thumbnails_of_mosaics_have_colors(tmp_path: Path) -> None:
    mosaic = np.zeros((64, 96), np.uint16)
    mosaic[::2, ::2] = 4095  # red
    data = raw.encode(raw.RawImage(mosaic, "RGGB", orientation=6))
    (tmp_path / "a.gfwx").write_bytes(data)
    for arguments, stdin in (((tmp_path / "a.gfwx",), None), (("-",), data)):
        target = tmp_path / f"{len(arguments[0].name) if stdin is None else 0}.png"  # type: ignore[union-attr]
        assert run("thumbnail", *arguments, "-o", target, "-s", 48, stdin=stdin).exit_code == 0
        found = opened(target)[0]
        np.testing.assert_array_equal(found, raw.preview(data, 1))
        assert found.shape == (48, 32, 3)


@pytest.mark.parametrize("levels", [None, 3])
def test_truncated_files_hold_what_they_are_cut_for(levels: int | None, tmp_path: Path) -> None:
    path, cut = tmp_path / "a.gfwx", tmp_path / "cut.gfwx"
    gfwx.imwrite(path, smooth(), vertical_levels=levels)
    data = path.read_bytes()
    assert run("truncate", path, "-o", cut, "-d", 2).exit_code == 0
    short = cut.read_bytes()
    assert data.startswith(short)
    assert len(short) < len(data)
    expected = gfwx.decode(data, downsampling=2)
    np.testing.assert_array_equal(gfwx.decode(short, downsampling=2), expected)
    assert gfwx.decode(short[:-4], downsampling=2, partial=True)[1] is not None
    assert "there already" in run("truncate", path, "-o", cut, "-d", 2).stderr
    cut.write_bytes(short[:-4])
    assert run("truncate", path, "-o", cut, "-d", 2).exit_code == 0
    assert cut.read_bytes() == short
    assert run("truncate", path, "-o", cut, "--bytes", len(short), "--force").exit_code == 0
    assert cut.read_bytes() == short
    for arguments, words in (
        (("-d", 20), "no level for --downsampling 20"),
        (("--bytes", 40), "no level ends within 40 bytes"),
    ):
        result = run("truncate", path, "-o", cut, "--force", *arguments)
        assert result.exit_code == 1
        assert words in result.stderr
    assert run("truncate", path, "-o", cut).exit_code == 2
    assert run("truncate", path, "-o", path, "-d", 1).exit_code == 2
    assert path.read_bytes() == data


def test_comparisons_count_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setitem(__import__("sys").modules, "imagecodecs", None)
    folder_of_pictures(tmp_path, 2)
    np.save(tmp_path / "deep/signed.npy", np.zeros((40, 40), np.int16))
    (tmp_path / "deep/empty.png").touch()
    result = run("compare", tmp_path)
    assert result.exit_code == 1
    assert re.fullmatch(r"Error: .*empty\.png: the file is empty", result.stderr.splitlines()[-1])
    rows = {cells[1].strip(): cells[2:4] for cells in cells_of(result.stdout)}
    sizes = [
        len(gfwx.encode(image))
        for image in (colors(40, 40, 0), colors(40, 40, 1), np.zeros((40, 40), np.int16))
    ]
    assert [cell.strip() for cell in rows["gfwx"]] == ["3", str(sum(sizes))]
    assert rows["PNG"][0].strip() == "2"


def cells_of(table: str) -> list[list[str]]:
    return [line.split("│") for line in table.splitlines() if line.startswith("│")]


@pytest.mark.parametrize("show", [lambda: run("--help"), lambda: run("encode", "-h")])
def test_help_shows_an_example(show: Callable[[], object]) -> None:
    text = str(show().output)  # type: ignore[attr-defined]
    assert re.search(r"^ +gfwx encode photos -o compressed$", text, re.M)
    assert "\\b" not in text
