"""A workspace's stores as one data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from swipewise.catalog import Catalog
from swipewise.catalog.records import vector_column
from swipewise.encoders.contract import identity
from swipewise.encoders.given import GivenVectors
from swipewise.encoders.registry import build_encoders
from swipewise.errors import UnknownIdError
from swipewise.events.folded import interaction_parts
from swipewise.events.history import History
from swipewise.events.reading import read_profiles
from swipewise.schema import Col
from swipewise.training.building import build_dataset
from swipewise.training.dataset import Dataset
from swipewise.training.mapped import folder_for_arrays
from swipewise.workspace import Workspace


def load_dataset(
    workspace: Workspace, *, on_part: Callable[[int, int], None] = lambda _done, _of: None
) -> Dataset:
    """Everything a recommender may learn from, in index-coded arrays.

    Those as long as the log are files in the workspace that are mapped into memory, where files can be made there.

    Args:
        workspace: Its catalogue and events are read; what is new in its history is folded, and kept.
        on_part: Told how many parts of the history are folded, and of how many.

    Raises:
        DataError: There are no videos, or no interaction is with one of them.
        StoreError: A store cannot be read, or the disk is full.
    """
    catalog = Catalog(workspace.catalog_dir)
    videos = catalog.videos().sort(Col.VIDEO_ID)
    durations = videos.lazy().select(Col.VIDEO_ID, Col.DURATION)
    content = {
        modality: catalog.vectors(modality, encoder)
        for modality, encoder in chosen_encoders(workspace, catalog).items()
    }
    profiles = read_profiles(workspace.events_dir)
    return History(workspace.events_dir).collected(
        lambda: build_dataset(
            videos,
            content,
            interaction_parts(workspace, durations, on_part=on_part),
            profiles,
            workspace.config.events,
            folder_for_arrays(workspace.events_dir),
        )
    )


def half_encoded(workspace: Workspace) -> list[str]:
    """A sentence for each configured encoder that has not looked at all videos yet, with what does the rest."""
    encoded = Catalog(workspace.catalog_dir).encoded().values()
    notes = []
    for modality, encoder in build_encoders(workspace.config.encoders).items():
        column = vector_column(modality, identity(encoder))
        looked = sum(column in columns for columns in encoded)
        if looked < len(encoded) and not isinstance(encoder, GivenVectors):
            notes.append(
                f"{modality} by {identity(encoder)}: {looked:,} of {len(encoded):,} videos are encoded, "
                f"'swipewise videos encode -w {workspace.root}' does the rest"
            )
    return notes


def other_encoders(encoders: Mapping[str, str], workspace: Workspace) -> list[str]:
    """A sentence for each modality that new videos get from another encoder than a model reads, with the way out.

    Args:
        encoders: The identity of the model's encoder of each content modality.
        workspace: Whose configuration says what new videos get.
    """
    notes = []
    for modality, encoder in build_encoders(workspace.config.encoders).items():
        read, made = encoders.get(modality), identity(encoder)
        if read is not None and read != made and not isinstance(encoder, GivenVectors):
            notes.append(
                f"this model reads {modality} by {read}, and new videos get it by {made}: to it they come without "
                f"{modality} until [encoders] is set back, or 'swipewise train' makes a model that reads that"
            )
    return notes


def chosen_encoders(workspace: Workspace, catalog: Catalog) -> dict[str, str]:
    """The encoder of each content modality that is configured and has vectors in the catalogue."""
    encoded = set(catalog.encoders())
    keys = {modality: identity(encoder) for modality, encoder in build_encoders(workspace.config.encoders).items()}
    return {str(modality): key for modality, key in keys.items() if (modality, key) in encoded}


def configured_vectors(workspace: Workspace, modality: str) -> tuple[list[str], NDArray[np.float32]]:
    """The vectors (N, D) of a content modality by the configured encoder, and the ids of the videos that have one.

    Raises:
        UnknownIdError: It has made none, or there is no such modality; the message names what there is.
        StoreError: The catalogue cannot be read.
    """
    catalog = Catalog(workspace.catalog_dir)
    chosen = chosen_encoders(workspace, catalog)
    if modality not in chosen:
        there = ", ".join(f"{name} by {encoder}" for name, encoder in chosen.items()) or "none"
        raise UnknownIdError(
            f"no {modality!r} vectors by a configured encoder in {workspace.catalog_dir}: there are {there}; encode "
            "with 'swipewise videos encode', or set [encoders] in swipewise.toml"
        )
    return catalog.vectors(modality, chosen[modality])
