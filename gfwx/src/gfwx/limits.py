"""The bounds that gfwx documents, in one place. Beyond them is an error, never an attempt."""

from __future__ import annotations

from typing import Final

HEADER_SIZE: Final = 32
"""Bytes of the header without metadata (format, section 3)."""

MAX_SIDE: Final = 2**30
"""Largest width and height that a file can have."""

MAX_LAYERS: Final = 2**16
"""Most layers that a file can have."""

MAX_CHANNELS: Final = 2**16
"""Most channels that a file can have."""

MAX_PLANES: Final = 2**16
"""Most planes (layers x channels) that gfwx encodes and decodes; the format would allow 2**32."""

MAX_METADATA_WORDS: Final = 2**32 - 1
"""Most 32-bit words of metadata that a file can have."""

MAX_PROGRAM_LENGTH: Final = 65536
"""Most integers in a channel-transform program, the end mark included (format, section 5)."""

DEFAULT_MAX_PIXELS: Final = 2**30
"""Most samples (layers x height x width x channels) that `decode` makes unless asked for more."""
