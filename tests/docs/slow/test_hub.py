"""Encoders by their names on the hub: what the pages say runs, on tiny models of the same families.

They lie where the hub's own client keeps what it has fetched, and no network is asked.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from swipewise.catalog import Catalog
from swipewise.config import HUGGINGFACE
from swipewise.workspace import CONFIG_NAME, Workspace
from tests.docs.named import named
from tests.docs.pages import PAGES, blocks
from tests.docs.shell import PROGRAM, Line
from tests.docs.slow.shells import give, with_programs

pytest.importorskip("transformers", reason="the [foundation] extra is not installed")

from tests.encoders.foundation.checkpoints import make, transcriber

pytestmark = pytest.mark.slow

FAMILIES = {
    "facebook/dinov2-small": "dinov2",
    "facebook/pe-av-large-16-frame": "pe_audio_video",
    "google/siglip2-base-patch16-224": "siglip",
    "laion/clap-htsat-unfused": "clap",
    "sentence-transformers/all-MiniLM-L6-v2": "sentences",
}
"""Hub id -> the family of its configuration; that of a SigLIP 2 of one resolution is SigLIP's."""

WRITERS = ("openai/whisper-base",)
"""Hub ids of models that write down what they hear."""

HUB_ID = re.compile(rf"{HUGGINGFACE}([\w.-]+/[\w.-]+)")
FOLDER = re.compile(rf"{HUGGINGFACE}(/[\w./-]+)")
BOTH = "huggingface:facebook/pe-av-large-16-frame"
SNIPPETS = [
    *(block.text for block in blocks("toml") if HUGGINGFACE in block.text),
    # As a sentence of encoders.md has it.
    f'[encoders]\nvisual = "{BOTH}"\naudio = "{BOTH}"\n[media]\nframes = 16\n',
]
ONE = "[ingest]\nworkers = 1\n"
"""Each process that decodes would read the models anew."""
READ = {"speech": "text"}
"""Words that are heard are in the name of the column of the text that is read with them."""
LINES = [line for lines in named().values() for line in lines if HUGGINGFACE in " ".join(line.words)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of Hugging Face's client, with all models that are named."""
    home = tmp_path_factory.mktemp("home")
    for name in (*FAMILIES, *WRITERS):
        revision = hashlib.sha1(name.encode()).hexdigest()
        kept = home / "hub" / f"models--{name.replace('/', '--')}"
        (kept / "refs").mkdir(parents=True)
        (kept / "refs" / "main").write_text(revision)
        (kept / "snapshots").mkdir()
        snapshot = kept / "snapshots" / revision
        if name in WRITERS:
            transcriber(snapshot)
        else:
            make(FAMILIES[name], snapshot)
    return home


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few clips with captions."""
    folder = tmp_path_factory.mktemp("clips")
    give(
        [PROGRAM, "simulate", "world", "--videos", "10", "--viewers", "4", "--days", "2"], folder, with_programs()
    )
    return folder / "world"


@pytest.fixture
def shop(hub: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, where weights come from the hub's folder or not at all."""
    monkeypatch.setenv("HF_HOME", str(hub))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "world").symlink_to(world)
    given("init shop", tmp_path)
    return tmp_path / "shop"


def given(text: str, folder: Path) -> str:
    """What a command of Swipewise prints; no workspace is named but by the environment."""
    return give([PROGRAM, *text.split()], folder, with_programs(SWIPEWISE_WORKSPACE="shop"))


def name_of(value: str) -> str:
    """What a column is called by a model: its hub id, or the last part of its folder."""
    name = value.removeprefix(HUGGINGFACE)
    return Path(name).name if name.startswith("/") else name


def models(shop: Path) -> set[tuple[str, str]]:
    """What has given vectors: modality and identity of each encoder; not every clip has a sound or a caption."""
    present = Catalog(Workspace.open(shop).catalog_dir).present()
    return {(str(modality), identity) for (modality, identity), videos in present.items() if videos >= 5}


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_command_fills_the_column_of_a_model(line: Line, shop: Path) -> None:
    (shop / CONFIG_NAME).write_text(ONE, encoding="utf-8")
    given("videos add world/videos.jsonl", shop.parent)
    given(" ".join(line.words[1:]), shop.parent)
    modality, name = line.words[-1].split(f"={HUGGINGFACE}")
    assert any((modality, name) == (its, identity.partition("@")[0]) for its, identity in models(shop))


@pytest.mark.parametrize("text", SNIPPETS, ids=HUB_ID.findall)
def test_a_configuration_has_clips_described_by_models(text: str, shop: Path, hub: Path) -> None:
    for place in FOLDER.findall(text):  # a checkpoint of one's own
        copy = shop.parent / place.lstrip("/")
        shutil.copytree(next((hub / "hub").glob("models--google--siglip2*/snapshots/*")), copy)
        text = text.replace(place, str(copy))
    if "rapidocr" in text:
        pytest.importorskip("rapidocr", reason="the [screen] extra is not installed")
    (shop / CONFIG_NAME).write_text(f"{text}\n{ONE}", encoding="utf-8")
    assert "added 10, updated 0, unchanged 0, rejected 0" in given("videos add world/videos.jsonl", shop.parent)
    present = models(shop)
    for key, value in tomllib.loads(text)["encoders"].items():
        if str(value).startswith(HUGGINGFACE):
            assert any(
                name_of(value) in identity for modality, identity in present if modality == READ.get(key, key)
            )


def test_every_model_that_is_named_is_there() -> None:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    assert {name for text in (*texts, *map(str, LINES)) for name in HUB_ID.findall(text)} == {*FAMILIES, *WRITERS}
