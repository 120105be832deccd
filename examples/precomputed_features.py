# %% [markdown]
# # Precomputed features
#
# Vectors that were made elsewhere need no clips: tables and one array a modality become a workspace. Run
# `swipewise demo --quick demo` first: its vectors stand in for yours.

# %%
import tempfile
from pathlib import Path

import numpy as np

from swipewise import Workspace

platform = Workspace.open("demo")
source = Path(tempfile.mkdtemp())

# %% [markdown]
# Row i of an array belongs to row i of the table of videos; a row of zeros is no vector.

# %%
videos = platform.videos().select("video_id", "caption", "creator", "duration_seconds")
videos.write_parquet(source / "videos.parquet")
(source / "features").mkdir()
for modality in ("visual", "audio"):
    ids, vectors = platform.vectors(modality)
    known = dict(zip(ids, vectors, strict=True))
    nothing = np.zeros(vectors.shape[1], np.float32)
    rows = [known.get(video_id, nothing) for video_id in videos["video_id"]]
    np.save(source / "features" / f"{modality}.npy", np.stack(rows))

# %% [markdown]
# One exposure a row, with a column an action.

# %%
log = platform.interactions().select("viewer_id", "video_id", "at", "watch_seconds", "like", "share", "skip")
log.write_parquet(source / "interactions.parquet")

# %%
shop = Workspace.from_dataset("generic", source, source / "shop")
print(shop.fit().modalities)
print(shop.evaluate(["itemcf", "popularity"], trials=2).figures.filter(segment="all", metric="ndcg@10"))
