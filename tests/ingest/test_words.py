"""Words that recognisers find, on their way into the catalogue and into the vectors of text."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from swipewise.catalog import Catalog
from swipewise.config import EncodersConfig
from swipewise.encoders import build_encoder
from swipewise.ingest import encode_videos, ingest_videos
from swipewise.schema import Clip, Col, Modality
from swipewise.training.workspace_data import chosen_encoders, half_encoded
from swipewise.workspace import Workspace
from tests.ingest.test_run import manifest

PLAIN, SPOKEN = "fake@1", "fake@1+speech=fake@1"


def with_encoders(workspace: Workspace, **encoders: str) -> Workspace:
    chosen = {"visual": "fake", "audio": "fake", "text": "fake"} | encoders
    return replace(workspace, config=replace(workspace.config, encoders=EncodersConfig(**chosen)))


def columns(workspace: Workspace) -> dict[str, dict[str, list[float]]]:
    catalog = Catalog(workspace.catalog_dir)
    found = {f"{modality}:{name}": catalog.vectors(modality, name) for modality, name in catalog.encoders()}
    return {name: dict(zip(ids, values.tolist(), strict=True)) for name, (ids, values) in found.items()}


def read(caption: str | None) -> list[float]:
    (vector,) = build_encoder(Modality.TEXT, "fake").encode([Clip(caption=caption)])
    assert vector is not None
    return np.asarray(vector).tolist()


def row(name: str, clips: Path, **more: Any) -> dict[str, Any]:
    return {"uri": str(clips / f"{name}.mp4"), "video_id": name} | more


def test_words_are_kept_beside_the_video_and_read_after_its_caption(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    chosen = with_encoders(workspace, speech="fake", screen="fake")
    listed = manifest(tmp_path, [row("clip01", clips, caption="a cat"), row("clip00", clips)])
    assert ingest_videos(chosen, [listed]).added == 2
    catalog = Catalog(workspace.catalog_dir)
    heard, silent = catalog.get("clip01"), catalog.get("clip00")
    assert (heard.speech_by, heard.screen_by) == (silent.speech_by, silent.screen_by) == ("fake@1", "fake@1")
    assert heard.speech
    assert heard.screen_text
    assert silent.speech is None
    vectors = columns(workspace)["text:fake@1+speech=fake@1+screen=fake@1"]
    assert vectors["clip01"] == read(f"a cat\n{heard.speech}\n{heard.screen_text}")
    assert vectors["clip00"] == read(silent.screen_text)
    assert catalog.videos(words=True)[Col.SCREEN_TEXT].to_list() == [silent.screen_text, heard.screen_text]
    assert Col.SPEECH not in catalog.videos().columns
    assert ingest_videos(chosen, [listed]).unchanged == 2


def test_encode_adds_words_and_a_column_and_touches_nothing_else(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    plain, chosen = with_encoders(workspace), with_encoders(workspace, speech="fake")
    listed = manifest(tmp_path, [row("clip01", clips, caption="a cat"), row("clip03", clips, caption="a dog")])
    ingest_videos(plain, [listed])
    before = columns(workspace)
    assert half_encoded(chosen) == [
        f"text by {SPOKEN}: 0 of 2 videos are encoded, 'swipewise videos encode -w {workspace.root}' does the rest"
    ]
    assert encode_videos(chosen, chosen.config.encoders).updated == 2
    after = columns(workspace)
    assert after.pop(f"text:{SPOKEN}")["clip03"] == read("a dog")  # a third of the clips is silent
    assert after == before
    assert half_encoded(chosen) == []
    assert chosen_encoders(chosen, Catalog(workspace.catalog_dir))["text"] == SPOKEN
    assert encode_videos(chosen, chosen.config.encoders).unchanged == 2
    assert encode_videos(plain, plain.config.encoders).unchanged == 2


def test_another_caption_is_read_with_the_words_that_are_known(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    chosen = with_encoders(workspace, speech="fake")
    copy = tmp_path / "copy.mp4"
    shutil.copy(clips / "clip01.mp4", copy)
    known = {"uri": str(copy), "video_id": "v"}
    ingest_videos(chosen, [manifest(tmp_path, [known | {"caption": "one"}])])
    speech = Catalog(workspace.catalog_dir).get("v").speech
    ingest_videos(chosen, [manifest(tmp_path, [known | {"caption": "two"}])])
    assert columns(workspace)[f"text:{SPOKEN}"]["v"] == read(f"two\n{speech}")


def test_a_new_cut_is_heard_anew_and_its_old_words_are_forgotten(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    chosen, plain = with_encoders(workspace, speech="fake"), with_encoders(workspace)
    ingest_videos(chosen, [manifest(tmp_path, [row("clip01", clips, caption="a cat")])])
    catalog = Catalog(workspace.catalog_dir)
    first = catalog.get("clip01").speech
    recut = {"uri": str(clips / "clip02.mp4"), "video_id": "clip01"}
    ingest_videos(chosen, [manifest(tmp_path, [recut])])
    second = catalog.get("clip01").speech
    assert second not in (None, first)
    assert columns(workspace)[f"text:{SPOKEN}"]["clip01"] == read(f"a cat\n{second}")
    again = {"uri": str(clips / "clip04.mp4"), "video_id": "clip01"}
    ingest_videos(plain, [manifest(tmp_path, [again])])
    assert (catalog.get("clip01").speech, catalog.get("clip01").speech_by) == (None, None)
    assert columns(workspace)[f"text:{SPOKEN}"] == {}
    assert columns(workspace)[f"text:{PLAIN}"]["clip01"] == read("a cat")


def test_other_words_are_looked_for_when_another_recogniser_is_chosen(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    listed = manifest(tmp_path, [row("clip01", clips)])
    ingest_videos(with_encoders(workspace, speech="fake"), [listed])
    catalog = Catalog(workspace.catalog_dir)
    video = catalog.get("clip01")
    vector = columns(workspace)[f"text:{SPOKEN}"]["clip01"]
    catalog.upsert([replace(video, speech="of old", speech_by="other@1")], {})
    assert ingest_videos(with_encoders(workspace, speech="fake"), [listed]).updated == 1
    assert catalog.get("clip01") == video
    assert columns(workspace)[f"text:{SPOKEN}"]["clip01"] == vector


def test_vectors_of_a_data_set_stay_whatever_words_are_found_or_said(
    workspace: Workspace, clips: Path, tmp_path: Path
) -> None:
    plain, chosen = (
        with_encoders(workspace, text="dataset"),
        with_encoders(workspace, text="dataset", speech="fake"),
    )
    ingest_videos(plain, [manifest(tmp_path, [row("clip01", clips, caption="a cat")])])
    catalog = Catalog(workspace.catalog_dir)
    catalog.upsert([catalog.get("clip01")], {(Modality.TEXT, "dataset@1"): [np.ones(4, np.float32)]})
    assert encode_videos(chosen, chosen.config.encoders).updated == 1
    assert catalog.get("clip01").speech
    assert columns(workspace)["text:dataset@1"] == {"clip01": [1.0] * 4}
    ingest_videos(plain, [manifest(tmp_path, [row("clip01", clips, caption="a dog")])])
    assert catalog.get("clip01").caption == "a dog"
    assert columns(workspace)["text:dataset@1"] == {"clip01": [1.0] * 4}


def test_words_are_read_only_of_videos_whose_text_is_encoded(
    workspace: Workspace, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = with_encoders(workspace, speech="fake", screen="fake")
    names = ["clip01", "clip02", "clip04"]
    ingest_videos(chosen, [manifest(tmp_path, [row(name, clips, caption=name) for name in names])])
    before = Catalog(workspace.catalog_dir).videos(words=True).drop(Col.CAPTION, Col.CREATOR)
    vectors = columns(workspace)
    asked = []
    videos = Catalog.videos

    def noted(self: Catalog, ids: Sequence[str] | None = None, *, words: bool = False) -> pl.DataFrame:
        if words:
            asked.append(ids)
        return videos(self, ids, words=words)

    monkeypatch.setattr(Catalog, "videos", noted)
    rows = [
        row("clip01", clips, caption="clip01"),
        row("clip02", clips, caption="other"),
        row("clip04", clips, creator="ann"),
    ]
    assert ingest_videos(chosen, [manifest(tmp_path, rows)]).updated == 2
    assert asked == [["clip02"]]
    monkeypatch.undo()
    catalog = Catalog(workspace.catalog_dir)
    assert catalog.videos(words=True).drop(Col.CAPTION, Col.CREATOR).equals(before)
    found = catalog.get("clip02")
    name = "text:fake@1+speech=fake@1+screen=fake@1"
    assert columns(workspace)[name] == vectors[name] | {
        "clip02": read(f"other\n{found.speech}\n{found.screen_text}")
    }
