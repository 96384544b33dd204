"""The Python in README and documentation runs, from the first block of a page to the last."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[1]
README = PACKAGE / "README.md"
ELSEWHERE = {"docs/dask.md"}
"""Pages that are run by the tests of an integration, all their blocks."""

PAGES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in (README, *PACKAGE.glob("docs/**/*.md"))
    if "```python\n" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE])
def test_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (PACKAGE / page).read_text(encoding="utf-8")
    blocks = [
        # Compiled at its own line, so that an error is reported there.
        compile("\n" * text.count("\n", 0, found.start(1)) + found[1], page, "exec")
        for found in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)


def test_pages_are_found() -> None:
    assert {"README.md", "docs/sequences.md", "docs/tutorials/first-picture.md"} < set(PAGES)
    assert set(PAGES) > ELSEWHERE


def test_the_first_screen_shows_code_and_figures() -> None:
    text = README.read_text(encoding="utf-8")
    assert text.index("```python") < text.index("![") < text.index("## ")
