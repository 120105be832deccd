# %% [markdown]
# # Replacing the ranker
#
# The feed is a pipeline of stages: source, filter, score, blend, distinct, select, explore, explain. Any of them can be
# replaced; candidates, filters and reasons stay. Run `swipewise demo --quick demo` first.

# %%
import shutil
import tempfile
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise import Workspace
from swipewise.feed.pipeline import Pipeline
from swipewise.feed.roster import Roster
from swipewise.feed.stages import Query, Score
from swipewise.training.dataset import Dataset
from swipewise.training.ranking import top_k_unseen

root = tempfile.mkdtemp() + "/shop"
shutil.copytree("demo", root)
shop = Workspace.open(root)

# %% [markdown]
# This one prefers short clips, and keeps the model's opinion where clips are equally long.


# %%
@dataclass
class ShortFirst:
    """A score that takes a tenth off for each second of a clip."""

    model: Score
    roster: Roster
    seconds: dict[str, float]

    def score(self, query: Query, numbers_N: NDArray[np.int64]) -> NDArray[np.float32]:
        """One number a candidate, higher is better; candidates are numbers in the roster."""
        lengths = np.array([self.seconds[name] for name in self.roster.names_of(numbers_N)], np.float32)
        return self.model.score(query, numbers_N) - 0.1 * lengths


def shortened(pipeline: Pipeline) -> Pipeline:
    """The pipeline of feeds with the model, with another score."""
    return replace(pipeline, score=ShortFirst(pipeline.score, pipeline.roster, seconds))


seconds = dict(shop.videos().select("video_id", "duration_seconds").iter_rows())
with shop.engine(adapt=shortened) as engine:
    feed = engine.feed("viewer00001", size=5)
for each in feed.recommendations:
    print(each.position, each.video_id, f"{seconds[each.video_id]:.1f} s", f"{each.score:.2f}", each.source)

# %% [markdown]
# Is it any good? A recommender is fitted and scores; the evaluation puts it beside the model and the baselines, on the
# same exam.


# %%
class Newest:
    """Ranks the newest uploads first."""

    name = "newest"

    def fit(self, dataset: Dataset) -> Self:
        """Nothing is learned."""
        return self.observe(dataset)

    def observe(self, dataset: Dataset) -> Self:
        """Take the histories to score with."""
        self.dataset = dataset
        return self

    def score(self, viewers: NDArray[np.int64], videos: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (viewers, videos)."""
        uploaded = self.dataset.uploaded_at_V[videos].astype(np.float32)
        return np.broadcast_to(uploaded, (len(viewers), len(videos)))

    def recommend(self, viewers: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The best k that each viewer has not seen."""
        return top_k_unseen(self.score, self.dataset, viewers, k)


found = shop.evaluate(["popularity", Newest], trials=1)
print(found.figures.filter(segment="all", metric="ndcg@10"))
print(found.comparison.filter(segment="all", metric="ndcg@10"))
