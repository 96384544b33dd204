"""Running the Python of the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]


def run(document: str, fence: str) -> int:
    """Run the blocks of a document that begin with ``` and `fence`; return how many there are."""
    path = PACKAGE / document
    text = path.read_text(encoding="utf-8")
    pattern = rf"^```{re.escape(fence)}\n(.*?)^```$"
    blocks = [
        # Compiled at its own line, so that an error is reported there.
        compile("\n" * text.count("\n", 0, found.start(1)) + found[1], str(path), "exec")
        for found in re.finditer(pattern, text, re.DOTALL | re.MULTILINE)
    ]
    names: dict[str, Any] = {"__name__": "__main__"}  # functions go to other processes by value
    for block in blocks:
        exec(block, names)
    return len(blocks)
