# %% [markdown]
# # Transfer
#
# A model that was trained on one platform ranks another one, whose videos and viewers it has never seen: it goes by
# content, tags, histories and profiles. Run `swipewise demo --quick demo` first.

# %%
import tempfile

import polars as pl

from swipewise import Workspace

source = Workspace.open("demo")

# %% [markdown]
# The other platform, here a part of the same clips and viewers under other names. Its videos need vectors by the same
# encoders.

# %%
other = Workspace.create(tempfile.mkdtemp() + "/other")
clips = source.videos().tail(50).with_columns(pl.format("other-{}", "video_id").alias("video_id"))
clips.select("uri", "video_id", "caption").write_csv(other.root / "videos.csv")
other.add_videos(other.root / "videos.csv")
log = source.events().with_columns(
    pl.format("other-{}", "video_id").alias("video_id"), pl.format("guest-{}", "viewer_id").alias("viewer_id")
)
other.import_events(log.filter(pl.col("video_id").is_in(clips["video_id"].to_list())).drop("event_id"))

# %%
figures = other.transfer_from(source, trials=2)
print(figures.filter(segment="all", metric="ndcg@10"))
