import pytest

from swipewise.encoders import build_encoder, identity
from swipewise.schema import CONTENT_MODALITIES, Clip, Modality


@pytest.mark.parametrize("modality", CONTENT_MODALITIES)
def test_vectors_of_a_data_set_have_a_name_and_are_never_made(modality: Modality) -> None:
    encoder = build_encoder(modality, "dataset")
    assert (encoder.modality, identity(encoder)) == (modality, "dataset@1")
    assert encoder.encode([Clip(caption="words"), Clip()]) == [None, None]
