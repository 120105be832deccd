"""torch-rechub's Deep Interest Network: pointwise, on what was shown and how it went.

Settings: ``task`` is "predict", one network an action on exposures alone, or "rank", one network for finishes on
exposures and sampled videos, which then scores every candidate. ``history``, ``width`` and ``hidden`` are how many
events are read, the width of the embeddings and those of the last layers. ``epochs``, ``batch_size``, ``lr``,
``weight_decay``, ``dropout`` and, when ranking, ``negatives`` (sampled videos for each finish) are the training's.

Legend of shape suffixes: B = viewers, I = exposures, L = events, V = videos, N = places of the ranking.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from folder import PLACES, Answer, Settings, Split, Stopwatch, main
from numpy.typing import NDArray
from torch_rechub.basic.features import SequenceFeature, SparseFeature
from torch_rechub.models.ranking import DIN
from torch_rechub.trainers import CTRTrainer

Batch = dict[str, torch.Tensor]

_SHARED = ("video", "tags")  # read of a candidate and of every video in the history
_CONTEXT = ("creator", "duration_seconds")  # read of a candidate alone
_SCORED_AT_ONCE = 1_000  # bounds memory: pairs of a viewer and a video
_PREDICTED = ("finish", "like", "click")


@dataclass(frozen=True)
class Histories:
    """The finished videos of every viewer; 0 pads, so videos count from 1 here.

    at, video: by viewer, then time; offsets: (U + 1,), those of viewer u are offsets[u]:offsets[u + 1].
    """

    at: NDArray[np.int64]
    video: NDArray[np.int64]
    offsets: NDArray[np.int64]
    length: int

    @classmethod
    def of(cls, rows: pl.DataFrame, viewers: int, length: int) -> Histories:
        """From rows sorted by viewer, then time; ``length`` is how many events are read at most."""
        finished = rows.filter("positive")
        offsets = np.searchsorted(finished["viewer"].to_numpy(), np.arange(viewers + 1))
        return cls(finished["at_ms"].to_numpy(), finished["video"].to_numpy() + 1, offsets, length)

    def before(self, viewer_I: NDArray[np.int64], at_I: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """(I, L) the last finishes before a moment, padded in front; without moments the last of all."""
        end_I = self.offsets[viewer_I + 1] if at_I is None else self._end(viewer_I, at_I)
        place_IL = end_I[:, None] + np.arange(-self.length, 0)
        inside_IL = place_IL >= self.offsets[viewer_I][:, None]
        padded = self.video if len(self.video) else np.zeros(1, np.int64)
        return np.where(inside_IL, padded[np.where(inside_IL, place_IL, 0)], 0)

    def _end(self, viewer_I: NDArray[np.int64], at_I: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows from here on are not earlier: one search over (viewer, time) pairs."""
        if not len(self.at):
            return np.zeros(len(at_I), np.int64)
        first = min(int(self.at.min()), int(at_I.min()))
        span = max(int(self.at.max()), int(at_I.max())) - first + 1
        owner = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        return np.searchsorted(owner * span + self.at - first, viewer_I * span + at_I - first)


class Inputs:
    """Turns viewers, videos and histories into the dictionaries of tensors that torch-rechub reads."""

    def __init__(self, split: Split) -> None:
        codes = split.videos.to_dict(as_series=False)
        self._of_video = {
            name: torch.tensor([0, *codes[name]]) for name in ("tags", *_CONTEXT) if name in split.videos.columns
        }
        self._of_video["video"] = torch.arange(len(split.videos) + 1)
        self._of_viewer = {
            name: torch.from_numpy(split.profiles[name].to_numpy().copy())
            for name in split.profiles.columns
            if name != "viewer"
        }
        self.shared = [name for name in _SHARED if name in self._of_video]

    def features(self, width: int) -> tuple[list[SparseFeature], list[SequenceFeature], list[SparseFeature]]:
        """Profile and context, history, target: as ``DIN`` takes them."""
        context = {
            **self._of_viewer,
            **{name: self._of_video[name] for name in _CONTEXT if name in self._of_video},
        }
        plain = [_feature(name, codes, width) for name, codes in context.items()]
        target = [_feature(name, self._of_video[name], width) for name in self.shared]
        history = [
            SequenceFeature(f"seen_{f.name}", f.vocab_size, width, "concat", shared_with=f.name, padding_idx=0)
            for f in target
        ]
        return plain, history, target

    def batch(self, viewer: torch.Tensor, video: torch.Tensor, seen: torch.Tensor) -> Batch:
        """viewer (I,), video (I,) and seen (I, L) counted from 1, to the features of each row."""
        batch = {name: codes[viewer] for name, codes in self._of_viewer.items()}
        batch |= {name: codes[video] for name, codes in self._of_video.items()}
        return batch | {f"seen_{name}": self._of_video[name][seen] for name in self.shared}


@dataclass(frozen=True)
class Batches:
    """The training rows in a new order each time they are gone through: what ``CTRTrainer`` calls a data loader."""

    inputs: Inputs
    viewer_I: NDArray[np.int64]
    video_I: NDArray[np.int64]
    seen_IL: NDArray[np.int32]
    label_I: NDArray[np.float32]
    videos: int
    size: int
    negatives: int
    random: np.random.Generator

    def __len__(self) -> int:
        return -(-len(self.label_I) // self.size)

    def __iter__(self) -> Iterator[tuple[Batch, torch.Tensor]]:
        order = self.random.permutation(len(self.label_I))
        for start in range(0, len(order), self.size):
            rows = order[start : start + self.size]
            video, label = self.video_I[rows], self.label_I[rows]
            if self.negatives:
                finished = np.repeat(rows[label > 0], self.negatives)
                rows = np.concatenate([rows, finished])
                video = np.concatenate([video, self.random.integers(self.videos, size=len(finished))])
                label = np.concatenate([label, np.zeros(len(finished), np.float32)])
            yield (
                self.inputs.batch(
                    torch.from_numpy(self.viewer_I[rows]),
                    torch.from_numpy(video + 1),
                    torch.from_numpy(self.seen_IL[rows].astype(np.int64)),
                ),
                torch.from_numpy(label),
            )


def answer(split: Split, settings: Settings) -> Answer:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    watch = Stopwatch()
    inputs = Inputs(split)
    histories = Histories.of(split.histories, split.facts["viewers"], settings["history"])
    watch.lap("read")
    if settings["task"] == "rank":
        network = _trained(split, inputs, histories, "finish", settings)
        watch.lap("fit")
        past = Histories.of(split.rows, split.facts["viewers"], settings["history"])
        videos, scores = _ranking(network, split, inputs, past)
        watch.lap("rank")
        return Answer(videos=videos, scores=scores, seconds=watch.seconds)
    predictions = {}
    for action in _PREDICTED:
        network = _trained(split, inputs, histories, action, settings)
        watch.lap("fit")
        predictions[action] = _predicted(network, split, inputs, histories)
        watch.lap("predict")
    return Answer(predictions=predictions, seconds=watch.seconds)


def _trained(
    split: Split, inputs: Inputs, histories: Histories, action: str, settings: Settings
) -> torch.nn.Module:
    """One network for one action, on the rows of which it is known whether it happened."""
    torch.manual_seed(0)
    rows = split.rows.filter(pl.col(action).is_not_null())
    viewer_I = rows["viewer"].to_numpy()
    batches = Batches(
        inputs=inputs,
        viewer_I=viewer_I,
        video_I=rows["video"].to_numpy(),
        seen_IL=histories.before(viewer_I, rows["at_ms"].to_numpy()).astype(np.int32),
        label_I=rows[action].to_numpy().astype(np.float32),
        videos=len(split.videos),
        size=settings["batch_size"],
        negatives=settings["negatives"] if settings["task"] == "rank" else 0,
        random=np.random.default_rng(0),
    )
    network = DIN(
        *inputs.features(settings["width"]),
        mlp_params={"dims": settings["hidden"], "dropout": settings["dropout"]},
        attention_mlp_params={"dims": [36]},
    )
    with tempfile.TemporaryDirectory() as weights:  # the trainer insists on writing them
        trainer = CTRTrainer(
            network,
            optimizer_params={"lr": settings["lr"], "weight_decay": settings["weight_decay"]},
            n_epoch=settings["epochs"],
            model_path=weights,
        )
        trainer.fit(batches)
    return network.eval()


@torch.inference_mode()
def _predicted(
    network: torch.nn.Module, split: Split, inputs: Inputs, histories: Histories
) -> NDArray[np.float32]:
    """(I,) the probability of each exposure of the period, from what its viewer finished before it."""
    viewer_I, video_I = split.exposures["viewer"].to_numpy(), split.exposures["video"].to_numpy() + 1
    seen_IL = histories.before(viewer_I, split.exposures["at_ms"].to_numpy())
    columns = [torch.from_numpy(part).split(_SCORED_AT_ONCE) for part in (viewer_I.copy(), video_I, seen_IL)]
    parts = [network(inputs.batch(*block)).numpy() for block in zip(*columns, strict=True)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


@torch.inference_mode()
def _ranking(
    network: torch.nn.Module, split: Split, inputs: Inputs, past: Histories
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(B, N) the best videos of each viewer and their scores: every video is scored, the seen ones too."""
    places = min(PLACES + split.most_seen, len(split.videos))
    best, value = [], []
    video_V = torch.arange(1, len(split.videos) + 1)
    for viewer, padded_L in zip(split.viewers, past.before(split.viewers), strict=True):
        # A padded event has a vector of zeros, whatever its weight: leaving all but one out changes nothing.
        seen_L = padded_L[min(int((padded_L == 0).sum()), len(padded_L) - 1) :]
        scores = [
            network(
                inputs.batch(
                    torch.full((len(part),), int(viewer)), part, torch.from_numpy(seen_L).expand(len(part), -1)
                )
            )
            for part in video_V.split(_SCORED_AT_ONCE)
        ]
        found = torch.cat(scores).topk(places)
        best.append(found.indices.numpy())
        value.append(found.values.numpy())
    return np.stack(best), np.stack(value)


def _feature(name: str, codes: torch.Tensor, width: int) -> SparseFeature:
    return SparseFeature(name, int(codes.max()) + 1, width, padding_idx=0)


if __name__ == "__main__":
    main(answer, library="torch-rechub")
