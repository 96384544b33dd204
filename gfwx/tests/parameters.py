"""Parameters of encoding as integers of the header, and as arguments of `gfwx.encode`."""

from __future__ import annotations

from typing import Any

import numpy as np

ENCODERS = ("turbo", "fast", "contextual", "high-bitrate")
INTENTS = (
    "generic",
    "mono",
    "bayer-rggb",
    "bayer-bggr",
    "bayer-grbg",
    "bayer-gbrg",
    "bayer-generic",
    "rgb",
    "rgba",
    "rgba-premultiplied",
    "bgr",
    "bgra",
    "bgra-premultiplied",
    "cmyk",
)


def arguments(parameters: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of `gfwx.encode` for parameters as `model.encode` takes them."""
    code = parameters["filter"]
    return {
        "quality": parameters["quality"],
        "chroma_scale": parameters["chroma_scale"],
        "block_size": parameters["block_size"],
        "filter": "cubic" if code == 1 else "linear",
        "vertical_levels": code if code >= 2 else None,
        "encoder": ENCODERS[parameters["encoder"]],
        "intent": INTENTS[parameters["intent"]],
        "transform": parameters["transform"],
        "metadata": np.array(parameters["metadata"], "<u4").tobytes(),
        "bit_depth": parameters["bit_depth"] or None,
    }


def downsamplings(height: int, width: int, filter: int, intent: int) -> range:
    """The downsamplings that a file of this size can be decoded at (format, section 10)."""
    largest = max(0, (max(height, width) - 1).bit_length() - 1)
    if filter >= 2:
        largest = min(largest, filter - 1 if 2 <= intent <= 6 else filter)
    return range(largest + 1)
