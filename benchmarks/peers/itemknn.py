"""implicit's item-to-item nearest neighbours by cosine.

Settings: ``history``, "positives" or "exposures", is what a viewer's row of the matrix holds; the rest goes to
``implicit.nearest_neighbours.CosineRecommender``.
"""

from __future__ import annotations

import numpy as np
from folder import PLACES, Answer, Settings, Split, Stopwatch, main
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix


def answer(split: Split, settings: Settings) -> Answer:
    watch = Stopwatch()
    options = dict(settings)
    rows = split.rows if options.pop("history") == "exposures" else split.rows.filter("positive")
    shape = (split.facts["viewers"], len(split.videos))
    matrix = csr_matrix((np.ones(len(rows)), (rows["viewer"].to_numpy(), rows["video"].to_numpy())), shape=shape)
    matrix.data[:] = 1.0  # watched twice is watched
    watch.lap("read")
    model = CosineRecommender(**options, num_threads=1)
    model.fit(matrix, show_progress=False)
    watch.lap("fit")
    videos, scores = model.recommend(
        split.viewers, matrix[split.viewers], N=PLACES + split.most_seen, filter_already_liked_items=True
    )
    watch.lap("rank")
    # What shares no neighbour with the history has no score: it is no proposal.
    videos = np.where(scores > 0, videos, -1).astype(np.int64)
    return Answer(videos=videos, scores=scores, seconds=watch.seconds)


if __name__ == "__main__":
    main(answer, library="implicit")
