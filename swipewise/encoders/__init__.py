"""Encoders turn one modality of a clip into a vector; recognisers find its words."""

from swipewise.encoders.contract import Encoder, Recognizer, batch_of, identity, needs_of
from swipewise.encoders.registry import build_encoder, build_encoders, build_recognizers

__all__ = [
    "Encoder",
    "Recognizer",
    "batch_of",
    "build_encoder",
    "build_encoders",
    "build_recognizers",
    "identity",
    "needs_of",
]
