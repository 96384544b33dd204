"""What an experiment has found: tables, a figure, and what is to be said of them."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vaetheory.training.evaluation import mean_and_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cell = str | int | float


@dataclass(frozen=True)
class Table:
    """Rows of figures.

    Attributes
    ----------
    title : str
        What they are.
    columns : sequence of str
        Their heads.
    rows : sequence of sequences
        Text and numbers; numbers are shown with three significant digits, or to a hundredth.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def to_markdown(self) -> str:
        """Write as Markdown."""
        first = self.rows[0] if self.rows else self.columns
        marks = ["---" if isinstance(cell, str) else "---:" for cell in first]
        lines = [self.columns, marks, *([shown(cell) for cell in row] for row in self.rows)]
        return f"{self.title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


@dataclass(frozen=True)
class Findings:
    """The result of an experiment.

    Attributes
    ----------
    name : str
        As ``vaetheory reproduce`` knows it.
    title : str
        One line.
    text : sequence of str
        Paragraphs in Markdown: what was done, and what came of it.
    tables : sequence of Table
        The figures.
    figure : matplotlib.figure.Figure
        A picture of them.
    caption : str
        What it shows.
    """

    name: str
    title: str
    text: Sequence[str]
    tables: Sequence[Table]
    figure: Figure
    caption: str

    def write(self, folder: Path) -> Path:
        """Write ``NAME.md`` with ``NAME.png`` and each table as CSV; return the first's path."""
        folder.mkdir(parents=True, exist_ok=True)
        self.figure.savefig(folder / f"{self.name}.png", dpi=110)
        for number, table in enumerate(self.tables, 1):
            path = folder / f"{self.name}-{number}.csv"
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(table.columns)
                writer.writerows(table.rows)
        picture = f"![{self.caption}]({self.name}.png)\n\n{self.caption}\n"
        parts = [f"## {self.title}\n", *(paragraph + "\n" for paragraph in self.text), picture]
        parts += [table.to_markdown() for table in self.tables]
        written = folder / f"{self.name}.md"
        written.write_text("\n".join(parts), encoding="utf-8")
        return written


def shown(cell: Cell) -> str:
    """Write a number as it is read easily."""
    if isinstance(cell, float):
        if not math.isfinite(cell) or cell == 0:
            return str(cell)
        return f"{cell:.2f}" if 1 <= abs(cell) < 1e5 else f"{cell:.3g}"
    return str(cell)


def with_error(values: Tensor, digits: int = 2) -> str:
    """Write the mean of some runs and its standard error."""
    mean, error = mean_and_error(values)
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


def stack(values: Sequence[Any]) -> Tensor:
    """Put numbers, or tensors of one shape, into one tensor in double precision."""
    return torch.stack([torch.as_tensor(value, dtype=torch.float64) for value in values])
