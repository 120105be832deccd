# %% [markdown]
# # An encoder of your own
#
# A class with `name`, `version`, `modality`, `dim` and `encode`, in a module that can be imported, stands for a
# modality: here `brightness.py`, beside this script. Run `swipewise demo --quick demo` first.

# %%
import tempfile

import polars as pl

from swipewise import Workspace

platform = Workspace.open("demo")
shop = Workspace.create(tempfile.mkdtemp() + "/shop")
some = platform.videos().head(40)
some.select("uri", "video_id", "caption").write_csv(shop.root / "videos.csv")
shop.add_videos(shop.root / "videos.csv")
shop.import_events(platform.events().filter(pl.col("video_id").is_in(some["video_id"].to_list())))
ids, vectors = shop.vectors("visual")
print("descriptor", vectors.shape)

# %% [markdown]
# The configuration names the class. Its vectors are a column of their own, so that those of the descriptor stay.

# %%
(shop.root / "swipewise.toml").write_text('[encoders]\nvisual = "python:brightness:Brightness"\n')
shop = Workspace.open(shop.root)
print(shop.encode())
ids, vectors = shop.vectors("visual")
print("brightness", vectors.shape, dict(zip(ids[:1], vectors[:1].round(2).tolist(), strict=True)))

# %% [markdown]
# Whatever uses vectors uses these now: training, similar videos, the feed.

# %%
print(shop.fit().modalities)
print(shop.similar(ids[0], k=3, modality="visual"))
