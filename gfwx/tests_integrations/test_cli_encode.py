"""``gfwx encode``: what goes in comes back, or is refused."""

from __future__ import annotations

import io
import re
import shlex
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chunk_cases import modules_after
from commands import colors, folder_of_pictures, opened, run, sixteen_bit_png
from PIL import Image, ImageCms

import gfwx

PACKAGE = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["README.md", "docs/tutorials/folders.md"])
def test_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of_pictures(Path("photos"), 4)
    text = (PACKAGE / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.M)
    commands = [shlex.split(line, comments=True) for line in "".join(blocks).splitlines()]
    assert len(commands) >= 4
    for program, *arguments in commands:
        assert program == "gfwx"
        assert run(*arguments).exit_code == 0
    originals = sorted(path.relative_to("photos") for path in Path("photos").rglob("*.png"))
    assert len(originals) == 4
    for path in originals:
        expected, found = opened(Path("photos", path))[0], opened(Path("restored", path))[0]
        np.testing.assert_array_equal(found, expected, strict=True)


def test_a_folder_keeps_its_structure_and_a_second_run_does_nothing(tmp_path: Path) -> None:
    folder_of_pictures(tmp_path / "in", 5)
    result = run("encode", tmp_path / "in", "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert "5/5" in result.stderr
    assert "5 pictures: 0.02 MB of pixels" in result.stderr
    assert result.stdout == ""
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.gfwx")}
    names = {path.relative_to(tmp_path / "out").as_posix() for path in made}
    assert names == {"000.gfwx", "002.gfwx", "004.gfwx", "deep/001.gfwx", "deep/003.gfwx"}
    assert (gfwx.imread(tmp_path / "out/deep/003.gfwx") == colors(40, 40, 3)).all()
    again = run("encode", tmp_path / "in", "-o", tmp_path / "out")
    assert again.exit_code == 0
    assert "5 pictures there already and complete" in again.stderr
    assert all(path.stat().st_mtime_ns == time for path, time in made.items())
    forced = run("encode", tmp_path / "in", "-o", tmp_path / "out", "--force", "-q", 64, "-j", 1)
    assert forced.exit_code == 0
    assert all(gfwx.read_header(path).quality == 64 for path in made)


def test_incomplete_outputs_are_made_again(tmp_path: Path) -> None:
    folder_of_pictures(tmp_path, 1)
    target = tmp_path / "000.gfwx"
    assert run("encode", tmp_path / "000.png").exit_code == 0
    whole = target.read_bytes()
    for damaged in (b"", whole[:20], whole[:-4], b"something else"):
        target.write_bytes(damaged)
        result = run("encode", tmp_path / "000.png")
        assert result.exit_code == 0
        assert "there already" not in result.stderr
        assert target.read_bytes() == whole


def test_options_are_those_of_encode(tmp_path: Path) -> None:
    Image.fromarray(colors()).save(tmp_path / "a.png")
    options = "-q 100 --chroma-scale 8 --encoder contextual --filter cubic --intent bgr"
    options += " --transform a710 --block-size 5 --bit-depth 7"
    assert run("encode", tmp_path / "a.png", *options.split()).exit_code == 0
    found = gfwx.read_header(tmp_path / "a.gfwx")
    assert (found.quality, found.chroma_scale, found.encoder) == (100, 8, "contextual")
    assert (found.filter, found.intent, found.block_size) == ("cubic", "bgr", 5)
    assert found.bit_depth == 7
    plain = gfwx.encode(
        colors(),
        100,
        chroma_scale=8,
        encoder="contextual",
        filter="cubic",
        intent="bgr",
        transform="a710",
        block_size=5,
        bit_depth=7,
    )
    written = (tmp_path / "a.gfwx").read_bytes()
    assert written[found.size :] == plain[32:]
    assert run("verify", tmp_path / "a.gfwx").exit_code == 0  # by what it decodes to
    bands = run("encode", tmp_path / "a.png", "--force", "--vertical-levels", 3)
    assert bands.exit_code == 0
    assert gfwx.read_header(tmp_path / "a.gfwx").vertical_levels == 3


def converted(mode: str) -> Image.Image:
    image = Image.fromarray(colors())
    if mode == "P":
        return image.quantize(200)
    if mode == "P, transparent":
        image = image.quantize(200)
        image.info["transparency"] = 3
        return image
    if mode == "I;16":
        wide = colors()[..., 0].astype(np.uint16) * 250
        return Image.fromarray(wide)
    return image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *[
            (mode, ".png")
            for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "P, transparent", "I;16")
        ],
        *[("RGB", suffix) for suffix in (".bmp", ".ppm", ".tga", ".qoi", ".jpg", ".tif")],
        *[("I;16", ".pgm"), ("I;16", ".tif"), ("CMYK", ".tif"), ("P", ".gif"), ("1", ".pbm")],
    ],
)
def test_pictures_of_pillow_come_back(mode: str, suffix: str, tmp_path: Path) -> None:
    source = tmp_path / f"source{suffix}"
    picture = converted(mode)
    options = {"transparency": 3} if "transparent" in mode else {}
    picture.save(source, **options)
    with Image.open(source) as image:
        expected = np.asarray(
            image.convert({"1": "L", "P": "RGB", "P, transparent": "RGBA"}.get(mode, image.mode))
        )
    assert run("encode", source, "-o", tmp_path / "made.gfwx").exit_code == 0
    decoded = gfwx.imread(tmp_path / "made.gfwx")
    assert decoded.dtype == (np.uint16 if mode == "I;16" else np.uint8)
    np.testing.assert_array_equal(decoded, expected)
    assert run("verify", tmp_path / "made.gfwx", "-s", source).exit_code == 0
    if mode != "CMYK":
        assert run("decode", tmp_path / "made.gfwx", "-o", tmp_path / "back.png").exit_code == 0
        np.testing.assert_array_equal(opened(tmp_path / "back.png")[0], expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_stay(channels: int, tmp_path: Path) -> None:
    wide = np.random.default_rng(0).integers(0, 65536, (23, 17, channels), np.uint16)
    wide[:, ::2] //= 64  # so that filters differ
    source, made, back = (tmp_path / name for name in ("a.png", "a.gfwx", "back.png"))
    source.write_bytes(sixteen_bit_png(wide))
    assert run("encode", source).exit_code == 0
    decoded = gfwx.imread(made)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded.reshape(wide.shape), wide)
    assert run("decode", made, "-o", back).exit_code == 0
    assert back.read_bytes()[24] == 16
    if channels != 2:  # which Pillow makes colors of
        pillow = opened(back)[0].reshape(wide.shape)
        np.testing.assert_array_equal(pillow, wide if channels == 1 else wide >> 8)
    assert run("verify", made, "-s", back).exit_code == 0


def test_one_column_and_one_row_of_sixteen_bits(tmp_path: Path) -> None:
    for height, width in ((1, 9), (9, 1), (1, 1)):
        wide = np.arange(height * width * 3, dtype=np.uint16).reshape(height, width, 3) * 997
        (tmp_path / "a.png").write_bytes(sixteen_bit_png(wide, "34"))
        assert run("encode", tmp_path / "a.png", "--force").exit_code == 0
        np.testing.assert_array_equal(gfwx.imread(tmp_path / "a.gfwx"), wide)


def animated() -> bytes:
    file = io.BytesIO()
    frames = [Image.fromarray(colors(seed=seed)).quantize(64) for seed in (0, 1)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def saved(image: Image.Image, name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


def test_what_would_be_lost_is_refused(tmp_path: Path) -> None:
    wide = np.zeros((3, 3, 3), np.uint16)
    floats = np.zeros((3, 3), np.float32)
    cases = {
        "animated.gif": (animated(), "2 pictures"),
        "float.npy": (npy(floats), "float32"),
        "wide.ppm": (b"P6 3 3 65535\n" + bytes(54), "16 bits a sample"),
        "twelve.ppm": (b"P6 3 3 4095\n" + bytes(54), "12 bits a sample"),
        "keyed.png": (sixteen_bit_png(wide, tRNS=bytes(6)), "transparent color"),
        "moving.png": (sixteen_bit_png(wide, acTL=bytes(8)), "animated"),
        "lab.tif": (saved(Image.fromarray(colors()).convert("LAB"), "TIFF"), "mode LAB"),
        "raw.tif": (saved(Image.new("L", (3, 3)), "TIFF", tiffinfo=dng_tags()), ".dng"),
    }
    for name, (data, _) in cases.items():
        (tmp_path / name).write_bytes(data)
    result = run("encode", *[tmp_path / name for name in cases], "-o", tmp_path / "out", "-j", 1)
    assert result.exit_code == 1
    for name, (_, words) in cases.items():
        assert re.search(rf"^Error: .*{name}: .*{words}", result.stderr, re.M), (name, words)
    assert f"{len(cases)} failed" in result.stderr
    assert not (tmp_path / "out").exists()


def dng_tags() -> Any:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2()
    tags.tagtype[50706] = 1
    tags[50706] = b"\1\4\0\0"
    return tags


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_bad_inputs_are_one_line_each_and_the_others_are_done(tmp_path: Path) -> None:
    png = saved(Image.fromarray(colors()), "PNG")
    wide = sixteen_bit_png(np.random.default_rng(0).integers(0, 65536, (9, 9, 3), np.uint16))
    huge = wide[:16] + struct.pack(">II", 2**30, 2**30) + wide[24:]
    crc = struct.pack(">I", zlib.crc32(huge[12:29]))
    bad = {
        "cut.png": png[: len(png) // 2],
        "start.png": png[:20],
        "damaged.png": png[:60] + b"\xff" * 40 + png[100:],
        "cut16.png": wide[:-30],
        "damaged16.png": wide[:60] + b"\xff" * 9 + wide[69:],
        "huge16.png": huge[:29] + crc + huge[33:],
        "short.jpg": saved(Image.fromarray(colors()), "JPEG")[:300],
        "less.tif": saved(Image.fromarray(colors()), "TIFF")[:90],
        "part.npy": npy(colors())[:-1],
        "huge.npy": npy(colors()).replace(b"(40, 50, 3)", b"(40000, 50000, 3)")[:4000],
        "foreign.png": b"<html></html>" * 9,
        "empty.png": b"",
        "already.png": gfwx.encode(colors()),
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "good.png").write_bytes(png)
    (tmp_path / "no pictures").mkdir()
    arguments = [tmp_path / "missing.png", tmp_path / "no*matches.png", tmp_path / "no pictures"]
    result = run(
        "encode", *arguments, *[tmp_path / name for name in (*bad, "good.png")], "-o",
        tmp_path / "out",
    )  # fmt: skip
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == len(bad) + 3
    for name in (*bad, "missing.png", "no pictures", r"no\*matches.png"):
        assert any(re.search(rf"/{name}: \S", line) for line in lines), name
    assert "Traceback" not in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.gfwx"]


def test_too_large_pictures_are_refused(tmp_path: Path) -> None:
    Image.fromarray(colors()).save(tmp_path / "a.png")
    result = run("encode", tmp_path / "a.png", "--max-pixels", 5999)
    assert result.exit_code == 1
    assert "6000 samples, more than 5999 (--max-pixels)" in result.stderr
    assert run("encode", tmp_path / "a.png", "--max-pixels", 6000).exit_code == 0


def test_two_inputs_for_one_output_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    for name in ("a.png", "a.bmp", "b.png"):
        Image.fromarray(colors()).save(tmp_path / name)
    result = run("encode", tmp_path, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert re.search(r"a\.bmp and .*a\.png would both become", " ".join(result.stderr.split()))
    assert not (tmp_path / "out").exists()
    # A file that is named twice is one.
    assert run("encode", tmp_path / "b.png", tmp_path / "b.png").exit_code == 0


def test_commands_that_cannot_be_meant(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(colors()).save(tmp_path / name)
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    for arguments in (
        [],
        [a, "--quality", 0],
        [a, "--encoder", "turbo"],
        [a, "--vertical-levels", 3, "--filter", "cubic"],
        [a, b, "-o", tmp_path / "one.gfwx"],
        [a, b, "-o", "-"],
        [a, "-"],
    ):
        result = run("encode", *arguments)
        assert result.exit_code == 2, arguments
        assert "Error: " in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_pipes() -> None:
    png = saved(Image.fromarray(colors()), "PNG")
    made = run("encode", "-", stdin=png)
    assert made.exit_code == 0
    np.testing.assert_array_equal(gfwx.decode(made.stdout_bytes), colors())
    back = run("decode", "-", stdin=made.stdout_bytes)
    assert back.exit_code == 0
    with Image.open(io.BytesIO(back.stdout_bytes)) as image:
        np.testing.assert_array_equal(np.asarray(image), colors())
    nothing = run("encode", "-", stdin=b"")
    assert nothing.exit_code == 1
    assert nothing.stderr == "Error: standard input: the file is empty\n"


def test_patterns_keep_what_they_do_not_fix(tmp_path: Path) -> None:
    folder_of_pictures(tmp_path / "in", 4)
    pattern = tmp_path / "in" / "**" / "*[13].png"
    assert run("encode", pattern, "-o", tmp_path / "out").exit_code == 0
    names = [path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("*.gfwx")]
    assert sorted(names) == ["deep/001.gfwx", "deep/003.gfwx"]


def test_metadata_are_kept(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Nobody"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.fromarray(colors())
    picture.save(tmp_path / "a.jpg", exif=exif, icc_profile=icc, xmp=b"<x/>")
    picture.save(tmp_path / "b.png", exif=exif, icc_profile=icc)
    picture.save(tmp_path / "c.tif", exif=exif, icc_profile=icc)
    for name, with_xmp in (("a.jpg", True), ("b.png", False), ("c.tif", False)):
        source = tmp_path / name
        made, back = source.with_suffix(".gfwx"), tmp_path / f"back-{name}.png"
        assert run("encode", source).exit_code == 0
        known = gfwx.read_metadata(made)
        assert known.icc == icc
        assert known.checksum == gfwx.checksum(gfwx.imread(made))
        assert run("decode", made, "-o", back).exit_code == 0
        samples, image = opened(back)
        assert samples.shape == (40, 50, 3)  # not turned
        assert dict(image.getexif())[274] == 6
        assert dict(image.getexif())[271] == "Nobody"
        assert 273 not in image.getexif()  # where a TIFF file has its pixels
        assert image.info["icc_profile"] == icc
        assert (image.info.get("xmp") == b"<x/>") is with_xmp
    wide = np.zeros((3, 3, 3), np.uint16)
    profile = b"name\0\0" + zlib.compress(icc)
    (tmp_path / "d.png").write_bytes(sixteen_bit_png(wide, iCCP=profile, eXIf=exif.tobytes()[6:]))
    assert run("encode", tmp_path / "d.png").exit_code == 0
    known = gfwx.read_metadata(tmp_path / "d.gfwx")
    assert known.icc == icc
    assert known.exif[:2] in (b"II", b"MM")


def test_a_library_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.dng").write_bytes(b"II*\0")
    monkeypatch.setitem(sys.modules, "rawpy", None)
    result = run("encode", tmp_path / "b.dng")
    assert result.exit_code == 1
    assert "rawpy is needed for raw files: pip install 'gfwx[raw]' brings it" in result.stderr


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    Image.fromarray(colors()).save(tmp_path / "a.png")
    (tmp_path / "file").touch()
    (tmp_path / "folder.gfwx").mkdir()
    for output in ("file/below", "folder.gfwx/../file/a.gfwx"):
        result = run("encode", tmp_path / "a.png", "-o", tmp_path / output)
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1
        assert "a.gfwx: " in result.stderr


def test_nothing_of_it_is_imported_with_gfwx() -> None:
    loaded = modules_after("import gfwx")
    assert not loaded & {"click", "rich", "PIL", "tifffile", "rawpy", "imagecodecs"}
    assert "rawpy" not in modules_after("import gfwx.cli.main")
