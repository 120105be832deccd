"""Families of models that listen.

Long sounds go through the model in pieces of the length that it was made for; a clip is the mean of its pieces.

Legend of shape suffixes: S = samples, P = pieces, N = tokens, D = width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from swipewise.encoders.foundation.gemma import PIECE_SECONDS, GemmaSound
from swipewise.encoders.foundation.source import Source
from swipewise.encoders.foundation.tensors import extractor_of, masked_mean, placed, pooled
from swipewise.schema import Clip

_SHORTEST_SECONDS = 0.5  # a rest of a sound that is shorter says nothing by itself


class SoundEmbedder:
    """The mean over the pieces of a sound of what a model makes of each.

    Args:
        rate: Samples a second that the model wants.
        seconds: Length of a piece; None: the whole sound.
        listen: The model's vectors (P, D) for pieces, a list of (S,).
        unit: Whether vectors are compared by cosine; then pieces and clips are L2-normalised.
    """

    def __init__(
        self,
        rate: int,
        seconds: float | None,
        listen: Callable[[Sequence[NDArray[np.float32]]], Tensor],
        *,
        unit: bool,
    ) -> None:
        self._rate, self._listen, self._unit = rate, listen, unit
        self._longest = None if seconds is None else int(seconds * rate)

    def content(self, clip: Clip) -> NDArray[np.float32] | None:
        """The sound at the model's rate."""
        if clip.waveform_S is None or not len(clip.waveform_S):
            return None
        if clip.fine_waveform_S is not None and self._rate > clip.sample_rate:
            return resampled(clip.fine_waveform_S, clip.fine_rate, self._rate)
        return resampled(clip.waveform_S, clip.sample_rate, self._rate)

    def embed(self, contents: Sequence[NDArray[np.float32]]) -> Tensor:
        """(B, D)."""
        pieces = [self._pieces(sound_S) for sound_S in contents]
        found_PD = self._listen([piece for part in pieces for piece in part]).float()
        if self._unit:
            found_PD = normalize(found_PD, dim=1)
        mean_BD = torch.stack([part.mean(dim=0) for part in torch.split(found_PD, list(map(len, pieces)))])
        return normalize(mean_BD, dim=1) if self._unit else mean_BD

    def _pieces(self, sound_S: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        if self._longest is None or len(sound_S) <= self._longest:
            return [sound_S]
        pieces = [sound_S[start : start + self._longest] for start in range(0, len(sound_S), self._longest)]
        return pieces[:-1] if len(pieces[-1]) < _SHORTEST_SECONDS * self._rate else pieces


def resampled(sound_S: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """The same sound at another rate."""
    if rate == wanted:
        return sound_S
    from scipy.signal import resample_poly

    divisor = int(np.gcd(rate, wanted))
    found: NDArray[np.float32] = resample_poly(sound_S, wanted // divisor, rate // divisor).astype(np.float32)
    return found


def _clap(model: Any, source: Source) -> SoundEmbedder:
    """CLAP (arXiv:2211.06687): the projected audio features, of pieces of ten seconds."""
    extractor = extractor_of(source)

    def listen(pieces: Sequence[NDArray[np.float32]]) -> Tensor:
        # No piece is longer than the model reads, so nothing is cut out at random.
        inputs = dict(extractor(list(pieces), sampling_rate=extractor.sampling_rate, return_tensors="pt"))
        inputs["is_longer"] = torch.as_tensor(inputs["is_longer"])
        return pooled(model.get_audio_features(**placed(inputs, model)))

    return SoundEmbedder(extractor.sampling_rate, extractor.max_length_s, listen, unit=True)


def _whisper(model: Any, source: Source) -> SoundEmbedder:
    """Whisper's encoder (arXiv:2212.04356): the mean over the states of the sound, without those of the padding."""
    extractor, encoder = extractor_of(source), model.get_encoder()

    def listen(pieces: Sequence[NDArray[np.float32]]) -> Tensor:
        rate = extractor.sampling_rate
        inputs = extractor(list(pieces), sampling_rate=rate, return_tensors="pt", padding="max_length")
        states_PND = encoder(placed({"x": inputs["input_features"]}, model)["x"]).last_hidden_state
        per_state = extractor.n_samples / states_PND.shape[1]
        kept_P = torch.tensor([max(1, round(len(piece) / per_state)) for piece in pieces], device=model.device)
        kept_PN = torch.arange(states_PND.shape[1], device=model.device) < kept_P[:, None]
        return masked_mean(states_PND, kept_PN)

    return SoundEmbedder(extractor.sampling_rate, extractor.chunk_length, listen, unit=False)


def _speech(model: Any, source: Source) -> SoundEmbedder:
    """wav2vec 2.0 (arXiv:2006.11477), HuBERT (arXiv:2106.07447): the mean over the last states of each piece."""
    extractor = extractor_of(source)

    def listen(pieces: Sequence[NDArray[np.float32]]) -> Tensor:
        found = []
        for piece in pieces:  # by itself: most of these models were trained without a mask for padding
            inputs = extractor(piece, sampling_rate=extractor.sampling_rate, return_tensors="pt")
            values = placed({"x": inputs["input_values"]}, model)["x"]
            found.append(model(values).last_hidden_state.mean(dim=1)[0])
        return torch.stack(found)

    return SoundEmbedder(extractor.sampling_rate, 30.0, listen, unit=False)


def _spectrogram(model: Any, source: Source) -> SoundEmbedder:
    """Audio Spectrogram Transformer (arXiv:2104.01778): the mean of its two class tokens, of pieces of ten seconds."""
    extractor = extractor_of(source)

    def listen(pieces: Sequence[NDArray[np.float32]]) -> Tensor:
        inputs = extractor(list(pieces), sampling_rate=extractor.sampling_rate, return_tensors="pt")
        found: Tensor = model(**placed(dict(inputs), model)).pooler_output
        return found

    seconds = extractor.max_length / 100  # its spectrogram has a hundred rows a second
    return SoundEmbedder(extractor.sampling_rate, seconds, listen, unit=False)


def _pe_audio(model: Any, source: Source) -> SoundEmbedder:
    """The audio part of Perception Encoder Audio-Visual (arXiv:2512.19687): the contrastive head on its class token."""
    extractor = extractor_of(source)

    def listen(pieces: Sequence[NDArray[np.float32]]) -> Tensor:
        inputs = extractor(list(pieces), sampling_rate=extractor.sampling_rate, return_tensors="pt")
        found: Tensor = model.get_audio_embeds(**placed(dict(inputs), model))
        return found

    return SoundEmbedder(extractor.sampling_rate, 30.0, listen, unit=True)


def _gemma(model: Any, source: Source) -> SoundEmbedder:
    sound = GemmaSound(model, source)
    return SoundEmbedder(sound.rate, PIECE_SECONDS, sound.listen, unit=True)


SOUNDS: Final[Mapping[str, Callable[[Any, Source], SoundEmbedder]]] = {
    "clap": _clap,
    "whisper": _whisper,
    "wav2vec2": _speech,
    "hubert": _speech,
    "audio-spectrogram-transformer": _spectrogram,
    "embedding_gemma2": _gemma,
    "pe_audio": _pe_audio,
    "pe_audio_video": _pe_audio,
}
"""By the family's name in transformers."""
