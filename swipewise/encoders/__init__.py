"""Encoders turn one modality of a clip into a vector."""

from swipewise.encoders.contract import Encoder, identity
from swipewise.encoders.registry import build_encoder, build_encoders

__all__ = ["Encoder", "build_encoder", "build_encoders", "identity"]
