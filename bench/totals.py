"""Lossless coding of all pictures of a kind together, and who beats whom."""

from __future__ import annotations

from dataclasses import dataclass

from results import Results

ENCODERS = ("fast", "high-bitrate", "contextual")


@dataclass(frozen=True)
class Total:
    """A codec's size and speeds over the pictures of one kind."""

    codec: str
    is_gfwx: bool
    percent: float
    encode: float
    decode: float
    rounds: int

    def speed(self, direction: str) -> float:
        """Return MB/s of raw samples."""
        return self.encode if direction == "encode" else self.decode

    def beats(self, other: Total, direction: str) -> bool:
        """Tell whether this is both smaller and faster."""
        return self.percent < other.percent and self.speed(direction) > other.speed(direction)


def kinds(results: Results) -> list[str]:
    """Return the kinds of samples that were timed."""
    return list(dict.fromkeys(row["kind"] for row in results.rows("lossless")))


def totals(results: Results, kind: str, threads: int, picture: str | None = None) -> list[Total]:
    """Add up the pictures of a kind (or take one of them), smallest first."""
    rows = results.rows("lossless", kind=kind, threads=threads)
    if picture is not None:
        rows = [row for row in rows if row["picture"] == picture]
    made = []
    for codec in dict.fromkeys(row["codec"] for row in rows):
        own = [row for row in rows if row["codec"] == codec]
        raw = sum(row["raw_bytes"] for row in own if row["direction"] == "encode")
        size = sum(row["size"] for row in own if row["direction"] == "encode")
        seconds = {
            direction: sum(row["median"] for row in own if row["direction"] == direction)
            for direction in ("encode", "decode")
        }
        if raw and all(seconds.values()):
            made.append(
                Total(
                    codec,
                    own[0]["family"] == "gfwx",
                    100 * size / raw,
                    raw / 1e6 / seconds["encode"],
                    raw / 1e6 / seconds["decode"],
                    min(row["rounds"] for row in own),
                )
            )
    return sorted(made, key=lambda total: total.percent)


def frontier(made: list[Total], direction: str) -> list[Total]:
    """Return those that none beats, smallest first."""
    return [total for total in made if not any(other.beats(total, direction) for other in made)]
