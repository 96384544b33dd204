"""What a conformance vector asks for."""

from __future__ import annotations

from parameters import arguments
from vectors import Case, digest

import gfwx


def check_case(case: Case, threads: int) -> None:
    """Encode a vector's picture; decode its file, whole, downsampled and in part."""
    image = case.image()
    if case.is_turbo:
        data = case.turbo_file()
        assert gfwx.read_header(data).encoder == gfwx.Encoder.TURBO
    else:
        data = gfwx.encode(image, **arguments(case.parameters), threads=threads)
    assert len(data) == case.size
    assert digest(data) == case.sha256

    for whole in case.decodes:
        decoded = gfwx.decode(
            data,
            downsampling=whole.downsampling,
            dtype=whole.dtype,
            keep_dims=True,
            threads=threads,
        )
        assert digest(decoded) == whole.sha256, whole
        if case.lossless and whole.downsampling == 0 and whole.dtype is None:
            assert decoded.dtype == image.dtype
            assert (decoded == image).all()

    for part in case.truncated:
        partial, next_point = gfwx.decode(
            data[: part.size],
            downsampling=part.downsampling,
            keep_dims=True,
            threads=threads,
            partial=True,
        )
        assert next_point == part.next, part
        assert (None if partial is None else digest(partial)) == part.sha256, part
