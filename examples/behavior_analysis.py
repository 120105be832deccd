# %% [markdown]
# # What viewers do
#
# Every function of `swipewise.behavior` takes frames and gives a polars frame. Run `swipewise demo --quick demo` first.

# %%
from swipewise import Workspace
from swipewise.behavior.funnel import funnel
from swipewise.behavior.retention import overall, retention
from swipewise.behavior.segments import describe_segments
from swipewise.behavior.shifts import ShiftDetector
from swipewise.events import read_active_days, read_rollups
from swipewise.training.crowd import Crowd, caption_words
from swipewise.training.runs import latest_run
from swipewise.training.tastes import log_of

shop = Workspace.open("demo")

# %% [markdown]
# From exposures to follows, from counts of days that are kept in the workspace.

# %%
lengths = shop.videos().lazy().select("video_id", "duration_seconds")
print(funnel(read_rollups(shop, lengths).days))

# %%
print(overall(retention(read_active_days(shop.events_dir), every="week")))

# %% [markdown]
# Groups of viewers who like the same, from the tastes that the last run finds in each of them.

# %%
crowd = Crowd.read(shop, latest_run(shop.runs_dir))
members, tastes = crowd.segments(least=5, most=8, count=3, seed=0)
topics = crowd.topics(caption_words(shop, crowd.dataset.video_ids))
print(describe_segments(members["segment"].to_numpy(), tastes, topics))

# %% [markdown]
# Whose interest changed, and when.

# %%
shifts = ShiftDetector().detect(log_of(crowd.dataset))
print(len(shifts), "shifts", [(crowd.dataset.viewer_ids[shift.viewer], shift.modality) for shift in shifts[:3]])
