"""Tiny data sets in their public layouts, and what a conversion made of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

from swipewise.catalog import Catalog
from swipewise.datasets.convert import Conversion, convert
from swipewise.datasets.layouts import LAYOUTS
from swipewise.events import read_interactions
from swipewise.schema import Col
from swipewise.training.dataset import Dataset
from swipewise.training.workspace_data import load_dataset
from swipewise.workspace import Workspace

MAY_1 = 1_651_334_400_000  # 1 May 2022, midnight in China, milliseconds

LOG_HEADER = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,"
    "play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab"
)
VIDEO_HEADER = (
    "video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,server_width,server_height,"
    "music_id,music_type,tag"
)


def log_row(
    user: object = 1, video: object = 10, at: object = MAY_1, *, flags: str = "1000000", play: object = 5000,
    duration: object = 10_000,
) -> str:  # fmt: skip
    """A row of a KuaiRand log; flags: click, like, follow, comment, forward, hate, long view."""
    return f"{user},{video},20220501,0,{at},{','.join(flags)},{play},{duration},0,0,0,0,1"


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def kuairand(folder: Path, *rows: str) -> Path:
    """KuaiRand-Pure with these rows as its first standard log and one row each in the two others."""
    data = folder / "data"
    write(data / "log_standard_4_08_to_4_21_pure.csv", LOG_HEADER, *rows)
    write(data / "log_standard_4_22_to_5_08_pure.csv", LOG_HEADER, log_row(2, 11, MAY_1 + 1000))
    write(data / "log_random_4_22_to_5_08_pure.csv", LOG_HEADER, log_row(2, 10, MAY_1 + 2000))
    write(
        data / "user_features_pure.csv",
        "user_id,user_active_degree,is_video_author,follow_user_num,onehot_feat3,onehot_feat4",
        "1,full_active,1,514,949,4.0",
        "3,UNKNOWN,0,8,12,",
    )
    write(
        data / "video_features_basic_pure.csv",
        VIDEO_HEADER,
        '10,7349781,NORMAL,2022-04-10,LongImport,0.0,10000.0,720.0,1280.0,9155697141,9.0,"20,43"',
        "11,2103883,UNKNOWN,2022-04-09,Kmovie,0.0,,720.0,1280.0,0,,",
        "12,2103883,AD,2022-04-09,Kmovie,0.0,5000.0,720.0,1280.0,5,9.0,unknown",
    )
    write(data / "video_features_statistic_pure.csv", "video_id,counts", "10,1")
    return folder


def into(name: str, source: Path, target: Path) -> Conversion:
    return convert(LAYOUTS[name], source, target)


def interactions(target: Path) -> pl.DataFrame:
    """The folded interactions of a workspace, by viewer, time and video."""
    workspace = Workspace.open(target)
    videos = Catalog(workspace.catalog_dir).videos()
    return read_interactions(workspace.events_dir, videos.lazy().select(Col.VIDEO_ID, Col.DURATION)).collect()


def dataset(target: Path) -> Dataset:
    return load_dataset(Workspace.open(target))


def array(path: Path, rows: object, dtype: str = "float32") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.array(rows, dtype))
    return path


def as_json(path: Path, value: object) -> Path:
    return write(path, json.dumps(value))
