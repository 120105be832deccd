"""The catalogue as tensors: what is missing is masked, what is new has no id, the scale is that of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from swipewise.training.dataset import ContentFeature
from swipewise.training.videos import Standard, VideoTable, measure_standards
from swipewise.training.vocabulary import Vocabulary

VOCABULARY = Vocabulary(video_ids=("a", "c"), attribute_values=("tags=cats",), profile_values=())
VISUAL = ContentFeature(
    values_VD=np.array([[1, 5], [3, 5], [0, 0], [1000, -1000]], np.float32),
    present_V=np.array([True, True, False, True]),
)
MODALITIES = ("id", "visual", "text", "attributes")


def table(
    modalities: tuple[str, ...] = MODALITIES,
    standards: dict[str, Standard] | None = None,
    content: dict[str, ContentFeature] | None = None,
) -> VideoTable:
    """Videos a, b, c and new; c has no picture, nobody has words, b's and new's tag is unknown to the run."""
    return VideoTable.build(
        modalities=modalities,
        content=content or {"visual": VISUAL},
        video_ids=("a", "b", "c", "new"),
        attributes_VA=np.array([[2, 0], [1, 0], [0, 0], [1, 2]]),
        attribute_values=("tags=birds", "tags=cats"),
        vocabulary=VOCABULARY,
        standards={"visual": standard()} if standards is None else standards,
    )


def standard() -> Standard:
    return Standard(mean_E=np.array([2.0, 5.0], np.float32), scale_E=np.array([1.0, 2.0], np.float32))


def present(made: VideoTable, modality: str) -> list[bool]:
    return made.present_VM[:, made.modalities.index(modality)].tolist()


def test_what_a_video_lacks_is_masked() -> None:
    made = table()
    assert present(made, "visual") == [True, True, False, True]
    assert present(made, "text") == [False] * 4
    assert present(made, "attributes") == [True, False, False, True]


def test_a_video_that_training_did_not_see_has_no_id() -> None:
    made = table()
    assert present(made, "id") == [True, False, True, False]
    assert made.id_V[[0, 2]].tolist() == [0, 1]
    # Whatever stands for the missing ones has to be a row of the embedding.
    assert (made.id_V >= 0).all()


def test_content_is_standardised_and_wild_values_are_cut() -> None:
    assert table().content["visual"].rows(torch.arange(4)).tolist() == [[-1, 0], [1, 0], [0, 0], [8, -8]]


def test_vectors_are_read_where_they_lie(tmp_path: Path) -> None:
    """From a file that is mapped into memory, of which no copy is made."""
    np.save(tmp_path / "vectors.npy", VISUAL.values_VD.astype(np.float16))
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="c")
    feature = replace(VISUAL, values_VD=mapped)
    made = table(content={"visual": feature}).content["visual"]
    assert made.values_VE.data_ptr() == mapped.ctypes.data
    assert made.rows(torch.tensor([3, 1])).tolist() == [[8, -8], [1, 0]]


def test_a_modality_without_a_standard_is_absent_everywhere() -> None:
    made = table(standards={})
    assert present(made, "visual") == [False] * 4
    assert made.content == {}


def test_attributes_are_coded_as_the_run_knows_them() -> None:
    assert table().attributes_VA.tolist() == [[1, 0], [0, 0], [0, 0], [0, 1]]


def test_columns_are_the_modalities_asked_for() -> None:
    made = table(("visual", "id"))
    assert made.present_VM.shape == (4, 2)
    assert present(made, "id") == [True, False, True, False]


def test_inputs_are_the_rows_asked_for() -> None:
    inputs = table().inputs(torch.tensor([3, 0, 0]))
    assert inputs.content["visual"].tolist() == [[8, -8], [-1, 0], [-1, 0]]
    assert inputs.attributes_KA.tolist() == [[0, 1], [1, 0], [1, 0]]
    assert inputs.present_KM[:, 0].tolist() == [False, True, True]
    assert inputs.id_K[1:].tolist() == [0, 0]


def test_a_table_moves_whole() -> None:
    moved = table().to(torch.device("meta"))
    visual = moved.content["visual"]
    content = [visual.values_VE, visual.present_V, visual.mean_E, visual.scale_E]
    tensors = [*content, moved.id_V, moved.attributes_VA, moved.present_VM]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_the_standard_is_that_of_the_training_videos_with_the_modality() -> None:
    seen_V = np.array([True, True, True, False])
    measured = measure_standards({"visual": VISUAL, "audio": VISUAL}, ("visual", "text", "id"), seen_V)
    assert measured.keys() == {"visual"}
    assert measured["visual"].mean_E.tolist() == [2, 5]
    # The second number never varies among them: dividing by its spread would give no number at all.
    assert measured["visual"].scale_E.tolist() == [1, 1]


def test_a_modality_that_no_training_video_has_keeps_its_scale() -> None:
    measured = measure_standards({"visual": VISUAL}, ("visual",), np.array([False, False, True, False]))
    assert measured["visual"].mean_E.tolist() == [0, 0]
    assert measured["visual"].scale_E.tolist() == [1, 1]


def test_standardised_training_videos_have_mean_zero_and_deviation_one() -> None:
    values_VD = np.random.default_rng(0).normal(40, 7, (200, 3)).astype(np.float32)
    made = Standard.of(values_VD)
    scaled = (values_VD - made.mean_E) / made.scale_E
    assert scaled.mean(axis=0) == pytest.approx([0] * 3, abs=1e-4)
    assert scaled.std(axis=0) == pytest.approx([1] * 3, abs=1e-4)
