"""What is published: a pointer to a run, and to all that must belong together for it to be served.

``published.json`` in the workspace names the bundle that is served and those before it. It is replaced in one step,
last, so that a process killed at any moment leaves the old one or the new one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from swipewise.errors import ArtifactError
from swipewise.retrieval import Index, IvfIndex
from swipewise.retrieval.storage import file_digest
from swipewise.workspace import Workspace

if TYPE_CHECKING:
    from swipewise.training.scorer import Scorer

FORMAT_VERSION: Final = 1
POINTER_NAME: Final = "published.json"
KEPT: Final = 10
"""Earlier bundles that can be gone back to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What share of the best hundred a search was found to find when an approximate index was published.

    Attributes:
        recall: recall@100, the mean over the questions.
        questions: So many were asked that had no part in making the index.
        asked: By whom: "viewers", whose interest vectors they were, or "videos", where there were too few viewers.
        probes: Into so many of its lists a search looks.
        lists: That it has.
    """

    recall: float
    questions: int
    asked: str
    probes: int
    lists: int

    @classmethod
    def of(cls, index: Index) -> Self | None:
        """Of an index; None for one that is exact."""
        if not isinstance(index, IvfIndex) or index.measured is None:
            return None
        return cls(**asdict(index.measured), probes=index.nprobe, lists=index.trained.template.nlist)

    def __str__(self) -> str:
        return f"recall@100 {self.recall:.3f} on {self.questions} {self.asked} with {self.probes} probes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A model that can be served, and what its parts must be.

    Attributes:
        run: The run's name.
        published_at: ISO 8601, UTC.
        index: The folder of its index, in the run's folder.
        files: The SHA-256 of each file, by its path in the run's folder; those of an exported encoder are among them
            where there is one.
        vocabulary: The SHA-256 of the vocabulary.
        encoders: Of each content modality the encoder that it reads.
        width: Of its vectors.
        retrieval: What its index was found to find; None where every search is exact.
    """

    run: str
    published_at: str
    index: str
    files: Mapping[str, str]
    vocabulary: str
    encoders: Mapping[str, str]
    width: int
    retrieval: Recall | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The bundle that is served, and those before it, the latest first."""

    current: Bundle
    earlier: tuple[Bundle, ...] = ()


def pointer(workspace: Workspace) -> Path:
    """The file that says what is published."""
    return workspace.root / POINTER_NAME


def read_published(workspace: Workspace) -> Published | None:
    """What is published, None where nothing is.

    Raises:
        ArtifactError: The pointer is damaged, or was written by a newer version.
    """
    path = pointer(workspace)
    way_out = "publish a run with 'swipewise models publish RUN'"
    try:
        values = json.loads(path.read_bytes())
        version = values["format"]
        if version != FORMAT_VERSION:
            raise ArtifactError(
                f"{path} has format {version!r}, this Swipewise reads {FORMAT_VERSION}: upgrade it"
            )
        current, *earlier = map(_bundle, values["bundles"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is damaged: {way_out}") from error
    return Published(current=current, earlier=tuple(earlier))


def _bundle(values: Mapping[str, Any]) -> Bundle:
    retrieval = values.get("retrieval")
    return Bundle(**{**values, "retrieval": Recall(**retrieval) if retrieval else None})


def write_published(workspace: Workspace, published: Published) -> None:
    """Replace the pointer in one step.

    Raises:
        ArtifactError: It cannot be written; what lay there is kept.
    """
    from swipewise.staging import write_durably

    bundles = [asdict(each) for each in (published.current, *published.earlier[:KEPT])]
    write_durably(
        pointer(workspace), json.dumps({"format": FORMAT_VERSION, "bundles": bundles}, indent=2).encode()
    )


def check_files(bundle: Bundle, workspace: Workspace) -> None:
    """Hold a bundle's files against their digests.

    Raises:
        ArtifactError: One is missing or another than was published.
    """
    for name, expected in bundle.files.items():
        path = workspace.runs_dir / bundle.run / name
        try:
            digest = file_digest(path)
        except OSError as error:
            raise ArtifactError(f"{path} was published and cannot be read: {error.strerror}") from error
        if digest != expected:
            raise ArtifactError(f"{path} is not what was published: its digest differs")


def check_model(bundle: Bundle, scorer: Scorer) -> None:
    """Hold a loaded model against what was published.

    Raises:
        ArtifactError: Its vocabulary, its encoders or its width are others.
    """
    parts: dict[str, tuple[Any, Any]] = {
        "encoders": (dict(scorer.encoders), dict(bundle.encoders)),
        "vectors' width": (scorer.index_vectors_VD.shape[1], bundle.width),
        "vocabulary": (vocabulary_digest(scorer), bundle.vocabulary),
    }
    for name, (found, expected) in parts.items():
        if found != expected:
            raise ArtifactError(
                f"the {name} of run {bundle.run}, {found}, differ from those published, {expected}"
            )


def vocabulary_digest(scorer: Scorer) -> str:
    """The SHA-256 of the ids and categories that a model knows."""
    return hashlib.sha256(json.dumps(scorer.vocabulary.as_dict(), sort_keys=True).encode()).hexdigest()
