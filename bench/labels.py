"""Labels of points in a plot, put where they cover nothing."""

from __future__ import annotations

from typing import Any, Final

from matplotlib.axes import Axes

DIRECTIONS: Final = ((8, 0), (-8, 0), (0, 9), (0, -9), (8, 8), (8, -8), (-8, 8), (-8, -8))
OFFSETS: Final = tuple((x * far, y * far) for far in (1, 2, 3.2) for x, y in DIRECTIONS)
"""Places to try, in points from the point, the best first."""


def label(axes: Axes, points: list[tuple[float, float, str, dict[str, Any]]]) -> None:
    """Write a text beside each point.

    Parameters
    ----------
    axes : Axes
        With its final limits and size.
    points : list of tuple
        x and y in data units, the text, and the text's properties.
    """
    axes.figure.canvas.draw()
    scale = axes.figure.dpi / 72
    places = [tuple(axes.transData.transform((x, y))) for x, y, _, _ in points]
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    bounds = axes.get_window_extent()
    frame = bounds.x0, bounds.y0, bounds.x1, bounds.y1
    for place, (x, y, text, properties) in zip(places, points, strict=True):
        others = [other for other in places if other != place]
        best, least = None, float("inf")
        for rank, (right, up) in enumerate(OFFSETS):
            made = axes.annotate(
                text,
                (x, y),
                (right, up),
                textcoords="offset points",
                ha="left" if right > 0 else "right" if right < 0 else "center",
                va="bottom" if up > 0 else "top" if up < 0 else "center",
                **properties,
            )
            extent = made.get_window_extent()
            box = extent.x0, extent.y0, extent.x1, extent.y1
            cost = 3 * sum(_overlap(box, other) for other in taken) + rank * scale
            cost += 10 * (_area(box) - _overlap(box, frame))
            # A label nearer to another point would seem to be that one's.
            own = _distance(box, place) + 4 * scale
            cost += 300 * scale * sum(_distance(box, other) < own for other in others)
            if cost < least:
                if best is not None:
                    best.remove()
                best, least, chosen, moved = made, cost, box, rank >= len(DIRECTIONS)
            else:
                made.remove()
        taken.append(chosen)
        if moved and best is not None:
            anchor = best.xyann
            axes.annotate(
                "",
                (x, y),
                anchor,
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.7},
            )


def _area(box: tuple[float, ...]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _distance(box: tuple[float, ...], place: tuple[float, ...]) -> float:
    right = max(box[0] - place[0], 0.0, place[0] - box[2])
    up = max(box[1] - place[1], 0.0, place[1] - box[3])
    return float((right**2 + up**2) ** 0.5)


def _overlap(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(0.0, width) * max(0.0, height)
