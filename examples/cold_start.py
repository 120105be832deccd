# %% [markdown]
# # Cold start
#
# A viewer whom training never saw is ranked by their profile, then by what they do; a video nobody has watched by what
# is seen, heard and read in it. Run `swipewise demo --quick demo` first.

# %%
import shutil
import tempfile
from datetime import UTC, datetime, timedelta

import polars as pl

from swipewise import Workspace

root = tempfile.mkdtemp() + "/shop"
shutil.copytree("demo", root)
shop = Workspace.open(root)

# %% [markdown]
# Of somebody of whom nothing is known the feed is what is popular and new.

# %%
print(shop.explain("newcomer", k=3).note)

# %% [markdown]
# A profile like that of somebody who is known is enough for the model.

# %%
profile = pl.read_parquet("demo/world/viewers.parquet").head(1).with_columns(viewer_id=pl.lit("newcomer"))
shop.import_viewers(profile)
by_profile = shop.recommend("newcomer", k=5)
print(by_profile)

# %% [markdown]
# From the first events on it is the model with a history. Nothing was trained again.

# %%
liked = shop.events().filter(action="like")["video_id"].mode().sort().head(3).to_list()
now = datetime.now(UTC)
log = pl.DataFrame(
    {
        "viewer_id": ["newcomer"] * 3,
        "video_id": liked,
        "action": ["like"] * 3,
        "at": [now - timedelta(minutes=3 - place) for place in range(3)],
    }
)
shop.import_events(log)
why = shop.explain("newcomer", k=5)
print(why.level, why.interactions)
print(why.videos.select("video_id", "score", "evidence"))

# %% [markdown]
# How well does that work? The evaluation tells cold viewers and cold videos apart.

# %%
figures = Workspace.open("demo").evaluate(["itemcf", "popularity"], trials=2).figures
print(figures.filter(pl.col("segment").str.starts_with("cold"), metric="ndcg@10"))
