"""What the suites found, kept in one JSON file from which the report is drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Results:
    """Rows of figures of each suite, and facts about the run."""

    def __init__(self) -> None:
        self.suites: dict[str, list[Row]] = {}
        self.facts: dict[str, Any] = {}

    def add(self, suite: str, **figures: Any) -> None:
        """Append a row to a suite."""
        self.suites.setdefault(suite, []).append(figures)

    def rows(self, suite: str, **wanted: Any) -> list[Row]:
        """Return the rows of a suite whose figures are as wanted."""
        rows = self.suites.get(suite, [])
        return [row for row in rows if all(row.get(key) == wanted[key] for key in wanted)]

    def save(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        content = {"facts": self.facts, "suites": self.suites}
        file.write_text(json.dumps(content, indent=1) + "\n")

    @classmethod
    def load(cls, file: Path) -> Results:
        content = json.loads(file.read_text())
        results = cls()
        results.facts, results.suites = content["facts"], content["suites"]
        return results
