"""The exported network of a run, executed by ONNX Runtime in place of torch.

::

    encoder/encoder.json        the model it was made of, its files and their digests, and what was measured
            encoder.onnx        single precision
            encoder-int8.onnx   weights of 8 bits; only where it ranks as well

``encoder.json`` is written last. Files are held against their digests before they are loaded, hold no other files, and
no operators but ONNX's own are known, so that nothing in them is executed but arithmetic.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from swipewise.errors import ArtifactError, MissingExtraError
from swipewise.model.export import EVENT_INPUTS, OUTPUTS, input_names
from swipewise.model.reading import Events, HistoryInputs, Latest, Looked, Reading
from swipewise.staging import write_durably
from swipewise.training.runs import MODEL_NAME

_logger = logging.getLogger(__name__)

FORMAT_VERSION: Final = 1
FOLDER: Final = "encoder"
MANIFEST: Final = "encoder.json"
EAGER, SINGLE, INT8, AUTO = "eager", "onnx", "onnx-int8", "auto"
FILES: Final[Mapping[str, str]] = {SINGLE: "encoder.onnx", INT8: "encoder-int8.onnx"}
"""The file of each precision, by what ``server.inference`` calls it."""


class HistoryReader(Protocol):
    """Reads histories as the network does."""

    def __call__(self, history: HistoryInputs, p_KMD: Tensor, present_KM: Tensor) -> Reading:
        """As ``InterestModel.forward``."""
        ...

    def latest(self, history: HistoryInputs, p_KMD: Tensor, present_KM: Tensor, last_B: Tensor) -> Latest:
        """As ``InterestModel.latest``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What ``encoder.json`` says.

    Attributes:
        model: The SHA-256 of the model that it was exported from.
        files: The SHA-256 of each file.
        strength: Whether it reads the strength of tastes.
        versions: Of what made it.
        viewers: Viewers of the validation period whose rankings were compared.
        ndcg: NDCG@10 on them by torch, ``eager``, and by each export, also of one that was left out.
        left_out: Why an export is not there.
    """

    model: str
    files: Mapping[str, str]
    strength: bool
    versions: Mapping[str, str]
    viewers: int
    ndcg: Mapping[str, float]
    left_out: Mapping[str, str]


def read_manifest(run_dir: Path) -> Manifest | None:
    """What was exported of a run, None where nothing was.

    Raises:
        ArtifactError: The manifest is damaged, was written by another version, or is of another model.
    """
    path = run_dir / FOLDER / MANIFEST
    try:
        values = json.loads(path.read_bytes())
        version = values.pop("format")
        if version != FORMAT_VERSION:
            raise ArtifactError(
                f"{path} has format {version!r}, this version reads {FORMAT_VERSION}: {_anew(run_dir)}"
            )
        manifest = Manifest(**values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path} is damaged: {_anew(run_dir)}") from error
    if manifest.model != digest_of(run_dir / MODEL_NAME):
        raise ArtifactError(f"{path} was exported from another model than {MODEL_NAME}: {_anew(run_dir)}")
    return manifest


def write_manifest(run_dir: Path, manifest: Manifest) -> None:
    """Write it; the files it names are there.

    Raises:
        ArtifactError: It cannot be written.
    """
    values = {"format": FORMAT_VERSION, **asdict(manifest)}
    write_durably(run_dir / FOLDER / MANIFEST, json.dumps(values, indent=2).encode())


def load_exported(run_dir: Path, precision: str) -> ExportedEncoder | None:
    """The exported network of a run, None where it has none of this precision.

    Args:
        run_dir: The run.
        precision: ``SINGLE`` or ``INT8``.

    Raises:
        ArtifactError: It is damaged, or not of this run's model.
        MissingExtraError: ONNX Runtime is not installed.
    """
    manifest = read_manifest(run_dir)
    if manifest is None or FILES[precision] not in manifest.files:
        return None
    path = run_dir / FOLDER / FILES[precision]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}: {_anew(run_dir)}") from error
    if hashlib.sha256(content).hexdigest() != manifest.files[FILES[precision]]:
        raise ArtifactError(f"{path} is not what was exported, its digest differs: {_anew(run_dir)}")
    return ExportedEncoder(content, strength=manifest.strength, together=precision != INT8)


def choose_reader(run_dir: Path, wanted: str) -> tuple[ExportedEncoder | None, str]:
    """What reads histories with a run's model, None for the network itself, and its name.

    ``AUTO`` takes the export in single precision where it and ONNX Runtime are there. Where what is asked for by name
    is not to be had, the network reads, and the name says why.

    Raises:
        MissingExtraError: An export is asked for by name, and ONNX Runtime is not installed.
    """
    if wanted == EAGER:
        return None, EAGER
    precision = SINGLE if wanted == AUTO else wanted
    try:
        reader = load_exported(run_dir, precision)
        manifest = read_manifest(run_dir)
    except MissingExtraError:
        if wanted != AUTO:
            raise
        return None, EAGER
    except ArtifactError as error:
        _logger.warning("run %s is read by torch: %s", run_dir.name, error)
        return None, f"{EAGER}: {error}"
    if reader is not None:
        return reader, precision
    if wanted == AUTO:
        return None, EAGER
    reason = f"run {run_dir.name} has no exported encoder: 'swipewise models export {run_dir.name}' makes one"
    if manifest is not None and precision in manifest.left_out:
        reason = f"the {precision} encoder of run {run_dir.name} is not used: {manifest.left_out[precision]}"
    _logger.warning("histories are read by torch: %s", reason)
    return None, f"{EAGER}: {reason}"


class ExportedEncoder:
    """An exported graph behind the network's face, on one thread of the processor.

    Args:
        graph: The ONNX file's content.
        strength: Whether it reads the strength of tastes.
        together: Whether viewers are read together. The scale of 8-bit numbers is that of everything in a batch, so
            that what a viewer is read as would depend on the others.

    Raises:
        ArtifactError: ONNX Runtime does not take the graph.
        MissingExtraError: ONNX Runtime is not installed.
    """

    def __init__(self, graph: bytes, *, strength: bool, together: bool = True) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingExtraError("an exported encoder", "onnx") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # Its errors have a class each and no common one but this.
            raise ArtifactError(
                f"ONNX Runtime does not take the exported encoder: {_first_line(error)}"
            ) from error
        # What a graph does not need, such as the order of events where that is ablated, it does not ask for.
        self._asked = {each.name for each in self._session.get_inputs()}
        self._strength = strength
        self._together = together

    def __call__(self, history: HistoryInputs, p_KMD: Tensor, present_KM: Tensor) -> Reading:
        """Read histories; what comes out lies on the processor."""
        if self._together or len(history.profile_BP) == 1:
            return self._read(history, p_KMD, present_KM)
        alone = [self._read(each, p_KMD, present_KM) for each in _one_by_one(history)]
        places = history.recent.valid_BL.shape[1] + 1
        return Reading(
            z_BL1D=torch.cat([_padded(each.z_BL1D, places) for each in alone]),
            u_BL1D=torch.cat([_padded(each.u_BL1D, places) for each in alone]),
            tokens_BL1D=torch.cat([_padded(each.tokens_BL1D, places) for each in alone]),
            s_BD=torch.cat([each.s_BD for each in alone]),
        )

    def latest(self, history: HistoryInputs, p_KMD: Tensor, present_KM: Tensor, last_B: Tensor) -> Latest:
        """What is read of one place of each viewer."""
        return self(history, p_KMD, present_KM).at(last_B.cpu())

    def _read(self, history: HistoryInputs, p_KMD: Tensor, present_KM: Tensor) -> Reading:
        recent, older = (_looked(events, p_KMD, present_KM) for events in (history.recent, history.older))
        given = [*recent, *older, history.profile_BP]
        if self._strength:
            assert history.strength_BL1M is not None, "this network was trained with tastes"
            given.append(history.strength_BL1M)
        names = input_names(strength=self._strength)
        fed = {name: value.cpu().numpy() for name, value in zip(names, given, strict=True) if name in self._asked}
        z_BL1D, u_BL1D, tokens_BL1D, s_BD = map(torch.from_numpy, self._session.run(list(OUTPUTS), fed))
        return Reading(z_BL1D=z_BL1D, u_BL1D=u_BL1D, tokens_BL1D=tokens_BL1D, s_BD=s_BD)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file.

    Raises:
        ArtifactError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from error


def _looked(events: Events, p_KMD: Tensor, present_KM: Tensor) -> list[Tensor]:
    """What the graph takes of events, in the order of EVENT_INPUTS; never of no place."""
    # The graph knows no stretch of no places; one that is padding changes nothing.
    looked = Looked.at(events, p_KMD, present_KM)
    tensors = [getattr(looked, name) for name in _LOOKED]
    if events.valid_BL.shape[1]:
        return tensors
    return [tensor.new_zeros(len(tensor), 1, *tensor.shape[2:]) for tensor in tensors]


_LOOKED: Final = ("p_BLMD", "present_BLM", "watch_ratio_BL", "flags_BLF", "gap_BL", "valid_BL")
assert len(_LOOKED) == len(EVENT_INPUTS)


def _one_by_one(history: HistoryInputs) -> Iterator[HistoryInputs]:
    """Each viewer's own history, without the padding that the others made necessary."""
    for row in range(len(history.profile_BP)):
        recent, older = (
            _of_one(events, row, at_least) for events, at_least in ((history.recent, 1), (history.older, 0))
        )
        strength_BL1M = history.strength_BL1M
        if strength_BL1M is not None:
            strength_BL1M = strength_BL1M[row : row + 1, : recent.valid_BL.shape[1] + 1]
        yield HistoryInputs(
            recent=recent,
            older=older,
            profile_BP=history.profile_BP[row : row + 1],
            strength_BL1M=strength_BL1M,
        )


def _of_one(events: Events, row: int, at_least: int) -> Events:
    places = torch.nonzero(events.valid_BL[row])
    length = max(at_least, int(places[-1]) + 1 if len(places) else 0)
    return Events(**{name: getattr(events, name)[row : row + 1, :length] for name in Events.__slots__})


def _padded(values_1LD: Tensor, places: int) -> Tensor:
    return functional.pad(values_1LD, (0, 0, 0, places - values_1LD.shape[1]))


def _anew(run_dir: Path) -> str:
    return f"export it again with 'swipewise models export {run_dir.name}'"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
