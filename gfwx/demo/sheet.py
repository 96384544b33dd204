"""A sheet of pictures: one file decoded from more and more of its bytes, and at smaller sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from comparison import psnr
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import gfwx

PERCENTAGES = (1, 3, 10, 30, 100)
DOWNSAMPLED = "astronaut"
DETAILS = {  # square that is shown enlarged: its middle, as fractions of width and height, and side
    "chelsea": (0.42, 0.36, 76),
    "astronaut": (0.43, 0.20, 84),
    "coffee": (0.61, 0.69, 100),
    "retina": (0.20, 0.50, 190),
}

WIDTH, MARGIN, GAP = 2400, 70, 26
CELL = (WIDTH - 2 * MARGIN - 4 * GAP) // 5
LENS = 150  # side of the enlarged square on the sheet
SCALE = 2  # of the downsampled pictures, so that the smallest can be seen
BACKGROUND, INK, FAINT, TRACK, ACCENT = "#15171c", "#f3f1ea", "#9aa0ab", "#2b2f38", "#f2b134"


@dataclass
class Canvas:
    """The sheet in the making: a picture and how far down it is filled."""

    picture: Image.Image
    y: int = MARGIN

    @property
    def draw(self) -> ImageDraw.ImageDraw:
        """Pillow's tool to draw on the picture."""
        return ImageDraw.Draw(self.picture)

    def text(self, x: int, text: str, size: int, color: str = INK, below: int = 0) -> None:
        """Write a line whose top is `below` the current height."""
        font = ImageFont.load_default(size)
        self.draw.text((x, self.y + below), text, fill=color, font=font)

    def bar(self, x: int, width: int, fraction: float, below: int) -> None:
        """Draw a bar that is filled in part."""
        top, bottom = self.y + below, self.y + below + 9
        self.draw.rounded_rectangle((x, top, x + width, bottom), 5, fill=TRACK)
        filled = max(10, round(width * fraction))
        self.draw.rounded_rectangle((x, top, x + filled, bottom), 5, fill=ACCENT)


def draw(photographs: dict[str, NDArray[np.uint8]]) -> Image.Image:
    """Draw the sheet."""
    canvas = Canvas(Image.new("RGB", (WIDTH, 4000), BACKGROUND))
    canvas.text(MARGIN, "gfwx: one file, as it arrives", 64)
    canvas.text(
        MARGIN,
        "Each row is one lossless gfwx file, cut off after the first 1, 3, 10 and 30 % of its "
        "bytes. What is there becomes a picture; the last one is exact.",
        29,
        FAINT,
        below=88,
    )
    canvas.y += 168
    for column, percentage in enumerate(PERCENTAGES):
        x = MARGIN + column * (CELL + GAP)
        canvas.text(x, f"{percentage} %", 44, ACCENT)
        canvas.bar(x, CELL, percentage / 100, below=64)
    canvas.y += 96
    for name, image in photographs.items():
        draw_progress(canvas, name, image)

    canvas.y += 30
    draw_sizes(canvas, photographs[DOWNSAMPLED])
    return canvas.picture.crop((0, 0, WIDTH, canvas.y + MARGIN))


def draw_progress(canvas: Canvas, name: str, image: NDArray[np.uint8]) -> None:
    """Add a row: a file decoded from more and more of its bytes."""
    data = gfwx.encode(image)
    height = CELL * image.shape[0] // image.shape[1]
    for column, percentage in enumerate(PERCENTAGES):
        size = len(data) * percentage // 100
        decoded, _ = gfwx.decode(data[:size], partial=True)
        assert decoded is not None
        x = MARGIN + column * (CELL + GAP)
        shown = Image.fromarray(decoded).resize((CELL, height), Image.Resampling.LANCZOS)
        canvas.picture.paste(shown, (x, canvas.y))
        paste_detail(canvas, name, decoded, x + CELL - LENS - 12, canvas.y + height - LENS - 12)
        error = psnr(image, decoded)
        quality = "exact" if error is None else f"{error:.1f} dB"
        canvas.text(x, f"{size / 1000:.1f} KB", 26, INK, below=height + 10)
        canvas.text(x + 150, quality, 26, FAINT, below=height + 10)
    canvas.y += height + 66


def paste_detail(canvas: Canvas, name: str, image: NDArray[np.uint8], x: int, y: int) -> None:
    """Paste an enlarged square of a picture, with a frame around it."""
    across, down, side = DETAILS[name]
    left = int(image.shape[1] * across) - side // 2
    top = int(image.shape[0] * down) - side // 2
    detail = Image.fromarray(image[top : top + side, left : left + side])
    detail = detail.resize((LENS, LENS), Image.Resampling.NEAREST)
    canvas.draw.rectangle((x - 4, y - 4, x + LENS + 3, y + LENS + 3), fill=INK)
    canvas.picture.paste(detail, (x, y))


def draw_sizes(canvas: Canvas, image: NDArray[np.uint8]) -> None:
    """Add a file decoded at smaller and smaller sizes, in true proportion."""
    data = gfwx.encode(image)
    full_height, full_width = (SCALE * side for side in image.shape[:2])
    x, top = MARGIN, canvas.y
    right = MARGIN + full_width + 50
    canvas.text(right, "One file, at the size you need", 64)
    explanation = (
        "The same lossless file decoded at 1/1, 1/2, 1/4, 1/8, 1/16 and 1/32",
        "of its size. The bars show how much of the file has to be read.",
    )
    for line, text in enumerate(explanation):
        canvas.text(right, text, 29, FAINT, below=96 + 42 * line)

    for downsampling in range(6):
        decoded = gfwx.decode(data, downsampling=downsampling)
        shown = Image.fromarray(decoded)
        shown = shown.resize((SCALE * shown.width, SCALE * shown.height), Image.Resampling.NEAREST)
        needed = bytes_needed(data, downsampling)
        size = f"{decoded.shape[1]} x {decoded.shape[0]}"
        amount = f"{needed / 1000:.1f} KB, {100 * needed / len(data):.1f} %"
        if downsampling < 3:  # side by side, on one base line, with the words below
            canvas.y = top + full_height - shown.height
            canvas.picture.paste(shown, (x, canvas.y))
            canvas.bar(x, shown.width, needed / len(data), shown.height + 14)
            canvas.text(x, size, 30, INK, shown.height + 36)
            canvas.text(x, amount, 26, FAINT, shown.height + 76)
            x += shown.width + 50
            canvas.y += shown.height
        else:  # one above the other, with the words beside them
            canvas.y -= shown.height
            canvas.picture.paste(shown, (x, canvas.y))
            words = x + SCALE * image.shape[1] // 8 + 24
            canvas.text(words, size, 30, INK, shown.height - 112)
            canvas.text(words, amount, 26, FAINT, shown.height - 72)
            canvas.bar(words, 166, needed / len(data), shown.height - 18)
            canvas.y -= max(0, 128 - shown.height) + 30
    canvas.y = top + full_height + 110


def bytes_needed(data: bytes, downsampling: int) -> int:
    """Size of the least beginning of a file that has all that a smaller picture needs."""
    least, most = 0, len(data)
    while least < most:
        middle = (least + most) // 2
        _, following = gfwx.decode(data[:middle], downsampling=downsampling, partial=True)
        least, most = (least, middle) if following is None else (middle + 1, most)
    return least
