"""The words that tables, logs and configurations share."""

from __future__ import annotations

from swipewise.schema import CONTENT_MODALITIES, FLAG_ACTIONS, Action, Col, Modality


def test_every_action_but_the_two_that_frame_an_interaction_is_a_flag_with_a_column() -> None:
    assert set(FLAG_ACTIONS) == set(Action) - {Action.EXPOSURE, Action.VIEW}
    assert [getattr(Col, action.name) for action in FLAG_ACTIONS] == list(FLAG_ACTIONS)


def test_content_is_what_an_encoder_can_read() -> None:
    assert set(CONTENT_MODALITIES) == set(Modality) - {Modality.ATTRIBUTES, Modality.ID}


def test_no_column_has_two_names() -> None:
    columns = [value for name, value in vars(Col).items() if name.isupper()]
    assert len(columns) == len(set(columns))
