# %% [markdown]
# # Own data
#
# Clips with captions and a log in your own words become a workspace that recommends and says why. Run
# `swipewise demo --quick demo` first: its clips and log stand in for yours.

# %%
import tempfile
from pathlib import Path

import polars as pl

from swipewise import Workspace

platform = Workspace.open("demo")
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# A manifest names each clip, the id that the log knows it by, and what else is known of it.

# %%
some = platform.videos().head(40)
some.select("uri", "video_id", "caption", "creator").write_csv(folder / "videos.csv")
shop = Workspace.create(folder / "shop")
print(shop.add_videos(folder / "videos.csv"))

# %% [markdown]
# The log is a file or a frame. `columns` says how it calls what Swipewise calls viewer_id, video_id and at.

# %%
log = platform.events().filter(pl.col("video_id").is_in(some["video_id"].to_list()))
log = log.select(
    pl.col("viewer_id").alias("user"),
    pl.col("video_id").alias("item"),
    "action",
    pl.col("at").alias("time"),
    "watch_seconds",
)
print(shop.import_events(log, columns={"viewer_id": "user", "video_id": "item", "at": "time"}))

# %%
print(shop.fit())

# %%
print(shop.recommend(["viewer00001", "viewer00002"], k=3))

# %%
why = shop.explain("viewer00001", k=3)
print(why.modality_weights)
print(why.videos.select("video_id", "score", "source", "weight_visual", "expected_like"))
