"""Where a model's files lie, which revision they are, and whether they may be used.

Only safetensors, JSON and vocabularies are ever fetched or read: a model that exists as a pickle alone is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from swipewise.config import HUGGINGFACE, EncodersConfig
from swipewise.errors import ConfigError, MissingExtraError

PREFIX: Final = HUGGINGFACE
"""What the name of such an encoder begins with in ``swipewise.toml``."""

_WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "README.md")
_HEAD = 1 << 20  # bytes at the start of a file that its fingerprint looks at, beside its size
_NONCOMMERCIAL = re.compile(r"(^|[-_ ])nc([-_ ]|$)|non-?commercial|research", re.IGNORECASE)
# Models whose cards do not say in a machine's terms what their licence forbids.
_KNOWN_NONCOMMERCIAL = (
    "facebook/metaclip",
    "jinaai/jina-clip-v2",
    "jinaai/jina-embeddings-v3",
    "MCG-NJU/videomae",
)


def plain_name(name: str) -> str:
    """A name as a column may have it: a dot would stand for a part of the column."""
    return re.sub(r"[^\w/-]", "_", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model on this machine: its short name, the folder with its files, and what tells revisions apart."""

    name: str
    folder: Path
    revision: str

    @classmethod
    def find(cls, reference: str, settings: EncodersConfig) -> Source:
        """Look a model up.

        Args:
            reference: A hub id, ``org/model`` or ``org/model@revision``, or the path of a folder.
            settings: ``hub`` and ``noncommercial`` are used.

        Raises:
            ConfigError: It is not on this machine, is no model, or its licence needs a setting that is not given.
            MissingExtraError: transformers is not installed.
        """
        local = Path(reference).expanduser()
        if local.is_dir():
            source = cls(name=local.resolve().name, folder=local, revision=_fingerprint(local))
        elif reference.startswith(("/", ".", "~")):
            raise ConfigError(f"there is no folder {reference!r}: give the path of one with config.json in it")
        else:
            source = _from_hub(reference, hub=settings.hub)
        source._check(reference, settings)
        return source

    def json(self, name: str) -> dict[str, Any]:
        """One of the model's JSON files; empty where there is none.

        Raises:
            ConfigError: It is damaged.
        """
        path = self.folder / name
        if not path.is_file():
            return {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} cannot be read ({error}): fetch the model again") from error
        if not isinstance(found, dict):
            raise ConfigError(f"{path} is not a JSON object: fetch the model again")
        return found

    def prepares(self, *parts: str) -> dict[str, Any]:
        """How inputs are prepared, by the file that newer models have for all kinds of them or by one for this kind.

        Args:
            parts: ``image_processor``, ``video_processor`` or ``feature_extractor``; the first that is there.

        Raises:
            ConfigError: A file is damaged.
        """
        together = self.json("processor_config.json")
        for part in parts:
            if isinstance(found := together.get(part), dict):
                return found
        videos = self.json("video_preprocessor_config.json") if "video_processor" in parts else {}
        return videos or self.json("preprocessor_config.json")

    @property
    def kind(self) -> str:
        """The family, as transformers calls it."""
        return str(self.json("config.json").get("model_type", ""))

    def _check(self, reference: str, settings: EncodersConfig) -> None:
        if not (self.folder / "config.json").is_file():
            raise ConfigError(f"{self.folder} holds no config.json: {reference!r} is not a transformers model")
        if not any(self.folder.glob("*.safetensors")):
            raise ConfigError(
                f"{reference!r} has no weights in safetensors, and no other kind is read: save it once with "
                "model.save_pretrained(folder) and name that folder"
            )
        licence = self._licence(reference)
        if licence and not settings.noncommercial:
            raise ConfigError(
                f"the licence of {reference!r} ({licence}) forbids commercial use: set noncommercial = true in "
                "[encoders] if yours is not"
            )

    def _licence(self, reference: str) -> str | None:
        """The licence by its card, if it forbids commercial use."""
        card = self.folder / "README.md"
        text = card.read_text(encoding="utf-8", errors="replace")[:_HEAD] if card.is_file() else ""
        front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
        stated = front.group(1) if front else ""
        for found in re.finditer(r"^license(?:_name)?:\s*(\S.*)$", stated, re.MULTILINE):
            if _NONCOMMERCIAL.search(found.group(1)):
                return str(found.group(1).strip())
        return "by its publisher's page" if reference.startswith(_KNOWN_NONCOMMERCIAL) else None


def _from_hub(reference: str, *, hub: bool) -> Source:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtraError(f"the encoder {PREFIX}{reference}", "foundation") from error
    name, _, revision = reference.partition("@")
    try:
        folder = Path(
            snapshot_download(
                name, revision=revision or None, local_files_only=not hub, allow_patterns=list(_WANTED)
            )
        )
    except HFValidationError as error:
        raise ConfigError(
            f"{PREFIX}{reference} names neither a folder nor a hub id such as google/siglip2-base-patch16-224"
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        fetch = f"hf download {name}" + (f" --revision {revision}" if revision else "")
        if hub:
            cause = str(error).splitlines()[0]
            raise ConfigError(
                f"{name!r} cannot be fetched from the hub ({cause}): check the id, or fetch it where there is a "
                f"network with '{fetch}'"
            ) from error
        raise ConfigError(
            f"{name!r} is not on this machine: fetch it with '{fetch}', or set hub = true in [encoders]"
        ) from error
    return Source(name=name, folder=folder, revision=folder.name[:12])


def _fingerprint(folder: Path) -> str:
    """Tells one state of a folder's model from another by names, sizes and the start of its files."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in {".json", ".safetensors", ".txt", ".model"} and path.is_file():
            digest.update(f"{path.name} {path.stat().st_size}\n".encode())
            with path.open("rb") as file:
                digest.update(file.read(_HEAD))
    return digest.hexdigest()[:12]
