# %% [markdown]
# # What viewers do
#
# Activity, funnel, retention, segments and shifts of interest, as polars frames. First: `swipewise demo --quick demo`.

# %%
from swipewise import Workspace

behavior = Workspace.open("demo").behavior

# %% [markdown]
# From exposures to follows, from counts of days that are kept in the workspace.

# %%
print(behavior.funnel())
print(behavior.activity(every="week"))

# %% [markdown]
# Of those who came first in a week, how many came again?

# %%
print(behavior.retention(every="week"))

# %% [markdown]
# Groups of viewers who like the same, by the tastes that the last run finds in each of them, and what sets them apart.

# %%
found = behavior.segments(count=3, least=5)
print(found.segments)
print(found.members.head(3))

# %% [markdown]
# Whose interest changed, when, and from what to what.

# %%
shifts = behavior.shifts()
print(len(shifts), "shifts")
print(shifts.select("viewer_id", "at", "modality", "odds").head(3))
