"""Encoders from published foundation models, by the name ``huggingface:`` and a hub id or a folder."""

from swipewise.encoders.foundation.encoder import FoundationEncoder
from swipewise.encoders.foundation.source import PREFIX
from swipewise.encoders.foundation.speech import SpeechRecognizer

__all__ = ["PREFIX", "FoundationEncoder", "SpeechRecognizer"]
