"""Sequences of frames: one file, written frame by frame, of which any frame can be read."""

from gfwx.sequences.prediction import Prediction
from gfwx.sequences.reader import SequenceReader
from gfwx.sequences.writer import SequenceWriter

__all__ = ["Prediction", "SequenceReader", "SequenceWriter"]
