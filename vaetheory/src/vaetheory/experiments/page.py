"""The page that shows what all experiments have found."""

from __future__ import annotations

from pathlib import Path
from typing import Final

NAMES: Final = ("variances", "cost", "gap", "penalty", "determinants", "failures")
_HEAD: Final = """# The claims, measured

Made by `vaetheory reproduce all`, from what its experiments have left in `reproduction/`: the
figures, and the tables as CSV. A value with ± has its standard error over the seeds. Times are
those of one machine; compare them with each other only.
"""


def write_page(folder: Path) -> Path:
    """Write ``reproduction.md`` from the findings for each data set; return its path."""
    parts = [_HEAD]
    for data in sorted(path for path in (folder / "reproduction").iterdir() if path.is_dir()):
        found = [data / f"{name}.md" for name in NAMES]
        parts.append(f"# {data.name}\n")
        parts += [
            path.read_text(encoding="utf-8").replace("](", f"](reproduction/{data.name}/")
            for path in found
            if path.exists()
        ]
    page = folder / "reproduction.md"
    page.write_text("\n".join(parts), encoding="utf-8")
    return page
