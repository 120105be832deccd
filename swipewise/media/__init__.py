"""Probe and decode clips with PyAV."""

from swipewise.media.decode import decode
from swipewise.media.probe import MediaInfo, StreamInfo, probe

__all__ = ["MediaInfo", "StreamInfo", "decode", "probe"]
