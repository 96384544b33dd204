"""The Python in the README runs, from the first block to the last."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = README.read_text(encoding="utf-8")
    blocks = [
        # Compiled at its own line, so that an error is reported there.
        compile("\n" * text.count("\n", 0, found.start(1)) + found[1], str(README), "exec")
        for found in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]
    assert len(blocks) > 3
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        for block in blocks:
            exec(block, names)


def test_the_first_screen_shows_code_and_figures() -> None:
    text = README.read_text(encoding="utf-8")
    assert text.index("```python") < text.index("![") < text.index("## ")
