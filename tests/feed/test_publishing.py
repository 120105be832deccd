"""Publishing: a pointer to parts that belong together, moved in one step and never to what does not fit."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from swipewise.catalog import Catalog
from swipewise.errors import ArtifactError, ConfigError, UnknownIdError, WorkspaceError
from swipewise.events import EventLog
from swipewise.feed import asking, indexes, stock
from swipewise.feed.bundles import check_files, pointer, read_published
from swipewise.feed.engine import FeedEngine
from swipewise.feed.publishing import list_models, publish, rollback
from swipewise.retrieval import IvfIndex, choice
from swipewise.schema import Action, Event
from swipewise.workspace import Workspace
from tests.feed.conftest import VECTORS, video
from tests.feed.fakes import NOW, FakeScorer
from tests.killing import kill, start

PutRun = Callable[[str], Path]


@pytest.fixture
def shop(workspace: Workspace) -> Workspace:
    """The workspace, serving what is published."""
    server = replace(workspace.config.server, publish="manual")
    return replace(workspace, config=replace(workspace.config, server=server))


@pytest.fixture
def run(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> PutRun:
    """Put a finished run there: its model file holds what encoders it reads."""

    def load(path: Path, workspace: Workspace) -> FakeScorer:
        scorer = FakeScorer(tuple(VECTORS), np.array(list(VECTORS.values()), np.float32))
        scorer.encoders = json.loads((path / "model.safetensors").read_text())
        if "damaged" in scorer.encoders:
            raise ArtifactError(f"{path} is damaged")
        return scorer

    monkeypatch.setattr(stock, "load_scorer", load)

    def put(name: str, **encoders: str) -> Path:
        folder = shop.runs_dir / name
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_text(json.dumps(encoders))
        (folder / "run.json").write_text(json.dumps({"figures": {"validation_ndcg@10": 0.25}}))
        return folder

    return put


def current(shop: Workspace) -> str | None:
    published = read_published(shop)
    return published.current.run if published else None


def test_nothing_is_served_until_it_is_published(shop: Workspace, run: PutRun) -> None:
    run("r1")
    with FeedEngine.open(shop) as engine:
        assert engine.run is None
        assert engine.note == "no model is published: choose one with 'swipewise models publish RUN'"
        publish(shop, "r1")
        assert engine.look_for_videos()
        assert (engine.run, engine.note) == ("r1", None)
        run("r2")
        assert not engine.look_for_videos(), "a newer run is not taken up by itself"


def test_a_bundle_names_all_that_belongs_together(shop: Workspace, run: PutRun) -> None:
    run("r1", visual="fake@1")
    bundle = publish(shop, "r1")
    assert (bundle.run, bundle.encoders, bundle.width) == ("r1", {"visual": "fake@1"}, 2)
    kinds = sorted(Path(name).suffix for name in bundle.files)
    assert kinds == [".json", ".json", ".safetensors", ".safetensors"]
    published = read_published(shop)
    assert published is not None
    assert published.current == bundle
    check_files(bundle, shop)


def test_back_and_forth(shop: Workspace, run: PutRun) -> None:
    run("r1")
    run("r2")
    with pytest.raises(UnknownIdError, match="no model was published before"):
        rollback(shop)
    publish(shop, "r1")
    with pytest.raises(UnknownIdError, match="no model was published before"):
        rollback(shop)
    publish(shop, "r2")
    assert [(each.run, each.published) for each in list_models(shop)] == [("r2", True), ("r1", False)]
    assert list_models(shop)[0].validation_ndcg == 0.25
    assert rollback(shop).run == current(shop) == "r1"
    with pytest.raises(UnknownIdError, match="no model was published before"):
        rollback(shop)


def test_indexes_that_no_bundle_names_are_removed(
    shop: Workspace, run: PutRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swipewise.feed.publishing.KEPT", 1)
    folder = run("r1")
    for _ in range(4):
        publish(shop, "r1")
    assert len(list((folder / "indexes").iterdir())) == 2
    rollback(shop)


def test_what_cannot_be_published(shop: Workspace, run: PutRun) -> None:
    run("20260101-a")
    run("20260102-b", damaged="yes")
    publish(shop, "20260101-a")
    with pytest.raises(ArtifactError, match="is damaged"):
        publish(shop, "20260102-b")
    with pytest.raises(UnknownIdError, match=r"no finished run '20260101-x' .*: did you mean '20260101-a'"):
        publish(shop, "20260101-x")
    with pytest.raises(UnknownIdError, match="'swipewise models list' shows what there is"):
        publish(shop, "?")
    with shop.lock("models"), pytest.raises(WorkspaceError, match="another process"):
        publish(shop, "20260101-a")
    newest = replace(shop, config=replace(shop.config, server=replace(shop.config.server, publish="newest")))
    for change in (lambda: publish(newest, "20260101-a"), lambda: rollback(newest)):
        with pytest.raises(ConfigError, match='set publish = "manual" in'):
            change()
    assert current(shop) == "20260101-a"


@pytest.mark.parametrize(
    ("part", "content", "reason"),
    [
        ("model.safetensors", '{"visual": "other@1"}', "model.safetensors is not what was published: its digest"),
        ("run.json", "{}", "run.json is not what was published"),
        ("indexes/*/vectors-*", "", "is not what was published"),
        ("model.safetensors", None, "was published and cannot be read"),
    ],
)
def test_a_bundle_whose_parts_do_not_match_is_refused(
    shop: Workspace,
    run: PutRun,
    caplog: pytest.LogCaptureFixture,
    part: str,
    content: str | None,
    reason: str,
) -> None:
    run("r1")
    folder = run("r2")
    publish(shop, "r1")
    with FeedEngine.open(shop) as engine:
        publish(shop, "r2")
        path = next(folder.glob(part))
        path.unlink() if content is None else path.write_text(content)
        engine.look_for_videos()
        assert engine.run == "r1", "the one in use stays"
        assert "keeping the model of run r1: the model of run r2 cannot be used" in caplog.text
        assert reason in caplog.text
        assert not engine.look_for_videos(), "it is not tried again and again"
        assert rollback(shop).run == "r1"
        engine.look_for_videos()
        assert engine.run == "r1"
    publish(shop, "r1")
    if part == "model.safetensors":
        return  # r2 cannot be gone back to either way
    assert read_published(shop) is not None


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (
            "encoders",
            {"visual": "old@1"},
            "the encoders of run r1, {'visual': 'fake@1'}, differ from those published",
        ),
        ("width", 64, "the vectors' width of run r1, 2, differ from those published, 64"),
        ("vocabulary", "0" * 64, "the vocabulary of run r1, "),
    ],
)
def test_a_pointer_to_another_model_is_refused(
    shop: Workspace, run: PutRun, key: str, value: object, reason: str
) -> None:
    run("r1", visual="fake@1")
    publish(shop, "r1")
    values = json.loads(pointer(shop).read_text())
    values["bundles"][0][key] = value
    pointer(shop).write_text(json.dumps(values))
    with FeedEngine.open(shop) as engine:
        assert engine.run is None
        assert reason in (engine.note or "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is damaged: publish a run"),
        ('{"format": 1, "bundles": []}', "is damaged"),
        ('{"format": 1, "bundles": [{"run": "r1"}]}', "is damaged"),
        ('{"format": 9, "bundles": []}', "has format 9, this Swipewise reads 1: upgrade it"),
    ],
)
def test_a_damaged_pointer_leaves_what_is_served(
    shop: Workspace, run: PutRun, text: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    run("r1")
    publish(shop, "r1")
    with FeedEngine.open(shop) as engine:
        pointer(shop).write_text(text)
        engine.look_for_videos()
        assert engine.run == "r1"
        assert reason in caplog.text
        publish(shop, "r1")
        assert engine.look_for_videos()
        assert engine.run == "r1"


def test_the_published_index_is_served_where_it_fits(
    shop: Workspace, run: PutRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    _approximate_from(3, monkeypatch)
    run("r1")
    bundle = publish(shop, "r1")
    assert str(bundle.retrieval) == "recall@100 1.000 on 256 videos with 1 probes", "there are no viewers"
    index = stock.load_stock(shop).index
    assert isinstance(index, IvfIndex)
    assert isinstance(index.vectors_VD, np.memmap), "mapped from the bundle, not built"
    VECTORS_now = {**VECTORS, "d": [0.0, -1.0]}
    monkeypatch.setattr(
        stock, "load_scorer", lambda *_: FakeScorer(tuple(VECTORS_now), np.array([*VECTORS_now.values()], "f4"))
    )
    rebuilt = stock.load_stock(shop).index
    assert isinstance(rebuilt, IvfIndex)
    assert rebuilt.search(np.array([[0, -1]], np.float32), 1)[1].tolist() == [[3]]


def _approximate_from(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (choice, indexes):
        monkeypatch.setattr(module, "EXACT_ROWS", rows)


def _watched(workspace: Workspace, viewers: int) -> None:
    """Every viewer watches a video or two."""
    with EventLog.open(workspace.events_dir) as log:
        log.append(
            [
                Event(
                    event_id=f"{viewer}-{place}",
                    viewer_id=f"viewer{viewer}",
                    video_id=video_id,
                    action=Action.VIEW,
                    at=NOW - timedelta(hours=3 - place),
                    watch_seconds=9.0,
                )
                for viewer in range(viewers)
                for place, video_id in enumerate("abcd"[viewer % 3 : viewer % 3 + 1 + viewer % 2])
            ]
        )


def test_the_index_is_held_against_what_viewers_ask(
    shop: Workspace, run: PutRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    _approximate_from(3, monkeypatch)
    _watched(shop, 90)
    run("r1")
    bundle = publish(shop, "r1")
    assert bundle.retrieval is not None
    assert (bundle.retrieval.asked, bundle.retrieval.questions) == ("viewers", 45)
    published = read_published(shop)
    assert published is not None
    assert published.current.retrieval == bundle.retrieval
    monkeypatch.setattr(asking, "VIEWERS", 70)
    publish(shop, "r1")
    published = read_published(shop)
    assert published is not None
    assert published.current.retrieval is not None
    assert published.current.retrieval.questions == 35, "a sample is enough"
    monkeypatch.setattr(choice, "EXACT_ROWS", 9)
    monkeypatch.setattr(indexes, "EXACT_ROWS", 9)
    assert publish(shop, "r1").retrieval is None, "exact"


def test_viewers_ask_with_what_the_model_makes_of_them(shop: Workspace) -> None:
    scorer = FakeScorer(tuple(VECTORS), np.array(list(VECTORS.values()), np.float32))
    durations = Catalog(shop.catalog_dir).videos()
    assert asking.asked_by_viewers(scorer, shop, durations).shape == (0, 2)  # type: ignore[arg-type]
    _watched(shop, 3)
    asked_QD = asking.asked_by_viewers(scorer, shop, durations)  # type: ignore[arg-type]
    expected = [VECTORS["a"], np.mean([VECTORS["b"], VECTORS["c"]], axis=0), VECTORS["c"]]
    np.testing.assert_allclose(asked_QD, expected, rtol=1e-6)


def test_an_index_that_was_built_is_kept(
    workspace: Workspace, run: PutRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    _approximate_from(3, monkeypatch)
    run("r1")
    first, version = stock.load_stock(workspace), stock.current_version(workspace)
    assert isinstance(first.index, IvfIndex)
    assert not isinstance(first.index.vectors_VD, np.memmap)
    assert first.version == version, "keeping it makes no new version"
    second = stock.load_stock(workspace).index
    assert isinstance(second, IvfIndex)
    assert isinstance(second.vectors_VD, np.memmap)
    (workspace.root / "index" / "index.json").write_text('{"version": 1}')
    assert isinstance(stock.load_stock(workspace).index, IvfIndex), "built again"
    with workspace.lock("index"):
        (workspace.root / "index" / "index.json").unlink()
        assert isinstance(stock.load_stock(workspace).index, IvfIndex), "it is served although it cannot be kept"


def test_what_was_loaded_to_publish_is_served(
    shop: Workspace, run: PutRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("r1")
    run("r2")
    loaded: list[str] = []
    load = stock.load_scorer

    def counted(path: Path, workspace: Workspace) -> object:
        loaded.append(path.name)
        return load(path, workspace)

    monkeypatch.setattr(stock, "load_scorer", counted)
    with FeedEngine.open(shop) as engine:
        engine.publish("r1")
        assert (engine.run, loaded) == ("r1", ["r1"])
        assert not engine.look_for_videos(), "nothing is new"
        engine.publish("r2")
        assert engine.rollback().run == engine.run == current(shop) == "r1"
        assert not engine.look_for_videos()
        assert loaded == ["r1", "r2", "r1"]
        Catalog(shop.catalog_dir).upsert([video("e", days_old=0)], {})
        assert engine.look_for_videos()
        assert engine.videos == 5


def test_requests_go_on_while_models_change(shop: Workspace, run: PutRun) -> None:
    run("r1")
    run("r2")
    publish(shop, "r1")
    faults: list[str] = []
    answered = [0]
    done = threading.Event()
    with FeedEngine.open(shop) as engine:

        def ask() -> None:
            while not done.is_set():
                try:
                    feed = engine.feed("ann")
                    if len(feed.recommendations) != 4:
                        faults.append(str(feed))
                except Exception as error:
                    faults.append(repr(error))
                answered[0] += 1

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        served = []
        for name in ("r2", "r1", "r2"):
            publish(shop, name)
            engine.look_for_videos()
            served.append(engine.run)
            rollback(shop)
            engine.look_for_videos()
            served.append(engine.run)
        done.set()
        for thread in threads:
            thread.join()
    assert served == ["r2", "r1", "r1", "r1", "r2", "r1"]
    assert faults == []
    assert answered[0] > 0


_PUBLISHES = """
import sys, json
import numpy as np
from pathlib import Path
from swipewise.events import EventLog
from swipewise.feed import asking, indexes, stock
from swipewise.feed.publishing import publish, rollback
from swipewise.workspace import Workspace
from tests.feed.fakes import FakeScorer
stock.load_scorer = lambda run, _: FakeScorer(tuple("abcd"), np.eye(4, dtype=np.float32))
workspace = Workspace.open(sys.argv[1])
print("begun", flush=True)
while True:
    publish(workspace, "r1")
    publish(workspace, "r2")
    rollback(workspace)
"""


def test_a_kill_at_any_moment_leaves_a_whole_bundle(shop: Workspace, run: PutRun) -> None:
    run("r1")
    run("r2")
    (shop.root / "swipewise.toml").write_text('[server]\npublish = "manual"\n')
    rng = random.Random(0)
    import sys

    for _ in range(4):
        process = start(sys.executable, "-c", _PUBLISHES, shop.root)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(rng.uniform(0.02, 0.2))
        assert kill(process).was_killed
        published = read_published(shop)
        if published is not None:
            for bundle in (published.current, *published.earlier):
                check_files(bundle, shop)
    Catalog(shop.catalog_dir).upsert([video("e", days_old=0)], {})
    assert publish(shop, "r1").run == current(shop) == "r1"
