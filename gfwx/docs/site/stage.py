"""Gather what the site is made of in one folder, with links that fit there.

    python docs/site/stage.py FOLDER

Beside the pages of this folder that is the README, which becomes the first page, and what has been
measured. Links between files of the repository become links between pages.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
DOCS: Final = "gfwx/docs"
README: Final = "gfwx/README.md"
OTHERS: Final = {
    README: "index.md",
    "bench/README.md": "measurements/how.md",
    "bench/report/index.md": "measurements/pictures.md",
    "bench/drafts/report/drafts.md": "measurements/drafts.md",
    "bench/sequences/report/sequences.md": "measurements/sequences.md",
    "bench/zarr_stacks/report/zarr_stacks.md": "measurements/zarr_stacks.md",
}
PICTURES: Final = {"bench/report": "measurements", "docs/images": "images"}
_LINK: Final = re.compile(r"(!?\[[^\]]*\])\(([^)#\s]+)(#[^)\s]*)?\)")


def main(target: Path) -> None:
    """Write all pages and pictures to a folder."""
    shutil.rmtree(target, ignore_errors=True)
    places = found()
    contents = (ROOT / DOCS / "site/contents.md").read_text(encoding="utf-8")
    for source, place in places.items():
        path = target / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            text = fitted((ROOT / source).read_text(encoding="utf-8"), source, places)
            path.write_text(text + contents * (source == README), encoding="utf-8")
        else:
            shutil.copyfile(ROOT / source, path)


def found() -> dict[str, str]:
    """Map the repository's files to their places on the site."""
    places = dict(OTHERS)
    for path in sorted((ROOT / DOCS).rglob("*")):
        place = path.relative_to(ROOT / DOCS).as_posix()
        if path.suffix in (".md", ".rst") and not place.startswith("site/"):
            places[f"{DOCS}/{place}"] = place
    for folder, place in PICTURES.items():
        for path in sorted((ROOT / folder).glob("*.[pj][np]g")):
            places[f"{folder}/{path.name}"] = f"{place}/{path.name}"
    return places


def fitted(text: str, source: str, places: dict[str, str]) -> str:
    """Make the links of a page fit; those to what is not on the site become plain text."""

    def fit(link: re.Match[str]) -> str:
        whole, text, target, anchor = link[0], link[1], link[2], link[3] or ""
        if re.match(r"\w+:", target):
            return whole
        path = os.path.normpath(PurePosixPath(source).parent / target)
        if path not in places:
            return text.strip("![]")
        return f"{text}({os.path.relpath(places[path], Path(places[source]).parent)}{anchor})"

    return _LINK.sub(fit, text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
