"""Which data sets can be read and what their folders hold; light, as help is made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from swipewise.datasets.reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A layout of data sets: what it is called, what it is, and what its folder holds, file by file."""

    name: str
    title: str
    files: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()

    def read(self, source: Path) -> Reading:
        """Look at a folder of this layout; its interactions are read when they are taken.

        Raises:
            InputFileError: A file is missing, cannot be read, or lacks a column.
            DataError: What is in the files contradicts itself.
        """
        reader: Callable[[Path], Reading] = import_module(f"swipewise.datasets.{self.name}").read
        return reader(source)


_FEATURES: Final = (
    "an array (items, width): .npy with numbers, float16 and float64 too; a row of zeros is no vector"
)

LAYOUTS: Final = {
    layout.name: layout
    for layout in (
        Layout(
            name="kuairand",
            title="KuaiRand-Pure, -1K and -27K: exposures of the app Kuaishou, with what viewers did",
            files=(
                (
                    "log_*.csv|parquet",
                    "user_id, video_id, time_ms, is_click, is_like, is_follow, is_comment, "
                    "is_forward, is_hate, long_view, play_time_ms, duration_ms",
                ),
                (
                    "history_*.parquet",
                    "optional: user_id, history_len, last_time_ms, watch_seq, like_seq, long_watch_seq",
                ),
                ("user_features*.csv", "optional: user_id and profile fields"),
                (
                    "video_features_basic*.csv",
                    "optional: video_id, author_id, music_id, tag, upload_dt",
                ),
            ),
            notes=(
                "A row is an exposure: long_view becomes finish, is_forward share, is_hate hide, is_click = 0 skip. "
                "A positive is a long view, unless the viewer hid the video.",
                "The events of a history file have no times of their own: they are spread evenly between 9 April "
                "2022 and the last one's time. Those times are estimates.",
            ),
        ),
        Layout(
            name="microlens",
            title="MicroLens-50K, -100K and -1M: comments on short videos, titles and extracted features",
            files=(
                ("*pairs.csv", "user, item, timestamp; goes before the next"),
                ("*pairs.tsv", "user TAB items in order, separated by blanks; the order stands in for times"),
                ("*title*.csv", "optional: item, title"),
                (
                    "*likes_and_views.txt|tsv",
                    "left out: counts that tell of the test period",
                ),
                ("tags_to_summary.csv", "optional: item, category"),
                (
                    "*video*feat*.npy, *image*feat*.npy, *text*feat*.npy, *audio*feat*.npy",
                    f"optional: {_FEATURES}; row = item - 1",
                ),
            ),
            notes=(
                "A pair is a comment, and every one is positive. The first of video and image features is the "
                "visual modality. Titles without text features are encoded by the descriptor that comes along.",
            ),
        ),
        Layout(
            name="mmrec",
            title="The layout of MMRec and of MMSSL's TikTok: interactions and features by item index",
            files=(
                ("*.inter", "userID, itemID and, where known, rating, timestamp and x_label, separated by tabs"),
                (
                    "train.json, val.json, test.json",
                    'or {"user": [items in order], ...}',
                ),
                ("image_feat.npy, text_feat.npy, audio_feat.npy", f"optional: {_FEATURES}; row = item"),
            ),
            notes=(
                "Every interaction is positive and becomes a like. Without times, the order stands in for them, and "
                "what is train, validation and test "
                "(x_label 0, 1 and 2, or the three files) becomes three periods one after the other.",
            ),
        ),
        Layout(
            name="recbole",
            title="RecBole's atomic files: interactions, items and users with typed headers",
            files=(
                (
                    "*.inter",
                    "user_id:token, item_id:token and, where known, timestamp:float, rating, label:float, and 0/1 "
                    "fields such as like:float; *.train.inter, *.valid.inter and *.test.inter together (or part1 to "
                    "part3)",
                ),
                (
                    "*.item",
                    "optional: item_id:token and, where known, title, creator or author_id, music, language, "
                    "duration:float (seconds), uploaded_at:float; other token fields become tags",
                ),
                ("*.item, field:float_seq", "optional: a vector whose field's name tells visual, text or audio"),
                ("*.user", "optional: user_id:token and profile fields"),
            ),
            notes=(
                "Without 0/1 fields and label every interaction counts as a like, whatever its rating. Without times "
                "the order stands in for them, and a split becomes periods one after the other.",
            ),
        ),
        Layout(
            name="generic",
            title="Any data set, as tables with Swipewise's own column names",
            files=(
                (
                    "interactions.parquet|csv|tsv|jsonl",
                    "one exposure a row: viewer_id, video_id, at (ISO 8601, or seconds or milliseconds since 1970) or "
                    "order (a number that grows with time), and where known watch_seconds (watch_ms: milliseconds), "
                    "position, and 0/1 columns finish, like, comment, share, follow, skip, hide",
                ),
                (
                    "videos.parquet|csv|tsv|jsonl",
                    "optional: video_id and where known caption, creator, music, tags (a list, or text separated "
                    "by |), language, uploaded_at, duration_seconds, width, height",
                ),
                ("viewers.parquet|csv|tsv|jsonl", "optional: viewer_id and profile fields"),
                ("features/visual|text|audio.npy", f"optional: {_FEATURES}; row = row of videos"),
                ("features/visual|text|audio.parquet", "optional: video_id, vector (a list of numbers)"),
            ),
            notes=("Without any of the action columns every interaction counts as a like.",),
        ),
    )
}
"""By name."""
