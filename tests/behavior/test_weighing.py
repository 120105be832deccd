"""Who heeds what: weights that were planted are found, and what a video lacks leaves more weight to the rest."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.behavior.evidence import Signals
from swipewise.behavior.tastes import Belief, Population
from swipewise.behavior.weighing import Heard, SignalsApart, WeighedPopulation

COUNT = 3
VIEWERS = 120
EACH = 60
HEED = 0.85


def population(modalities: int = 2) -> Population:
    """Tastes as wide as those of :func:`planted`; showing does not follow them."""
    width = modalities * COUNT
    return Population(
        modalities=modalities,
        coefficients_FT=np.zeros((1, width)),
        covariance_TT=0.4 * np.eye(width),
        noise=0.3,
        targeting=0.0,
    )


def planted(*, lacking: float = 0.0) -> tuple[Signals, NDArray[np.int64]]:
    """Viewers who heed the first modality or the second one, in turn; some videos lack one of them."""
    rng = np.random.default_rng(3)
    taste_UMK = rng.standard_normal((VIEWERS, 2, COUNT))
    heeds_U = np.arange(VIEWERS) % 2
    weight_UM = np.where(np.arange(2) == heeds_U[:, None], HEED, 1 - HEED)
    viewer_I = np.repeat(np.arange(VIEWERS), EACH)
    theme_IM = rng.integers(0, COUNT, (len(viewer_I), 2))
    has_IM = np.ones(theme_IM.shape, bool)
    gone = np.flatnonzero(rng.random(len(viewer_I)) < lacking)
    has_IM[gone, rng.integers(0, 2, len(gone))] = False
    liking_IM = taste_UMK[viewer_I[:, None], np.arange(2), theme_IM]
    weight_IM = weight_UM[viewer_I] * has_IM
    drive_I = (weight_IM * liking_IM).sum(axis=1) / weight_IM.sum(axis=1)
    signals = Signals(
        code_IM=np.where(has_IM, theme_IM + COUNT * np.arange(2), -1),
        response_I=drive_I + 0.3 * rng.standard_normal(len(viewer_I)),
        known_I=np.ones(len(viewer_I), bool),
        offer_IT=np.full((len(viewer_I), 2 * COUNT), 1 / COUNT),
    )
    return signals, heeds_U


def stretches(signals: Signals) -> Heard:
    start_U = EACH * np.arange(VIEWERS)
    return SignalsApart.of(signals).over(start_U, start_U + EACH)


def fitted(signals: Signals) -> WeighedPopulation:
    squares = float((signals.response_I**2).sum())
    design_UF = np.ones((VIEWERS, 1))
    return WeighedPopulation.fit(population(), stretches(signals), design_UF, squares, len(signals.response_I))


@pytest.mark.parametrize("lacking", [0.0, 0.3])
def test_what_a_viewer_heeds_is_found(lacking: float) -> None:
    signals, heeds_U = planted(lacking=lacking)
    viewers = fitted(signals)
    after, _ = viewers.learn(viewers.prior(np.ones((VIEWERS, 1))), stretches(signals))
    assert np.exp(after.log_share_BG).sum(axis=1) == pytest.approx(1)
    heed_UM = np.exp(after.log_share_BG) @ viewers.weight_GM
    assert (heed_UM.argmax(axis=1) == heeds_U).mean() > 0.9
    assert heed_UM.max(axis=1).mean() == pytest.approx(HEED, abs=0.1)
    assert viewers.share_G.sum() == pytest.approx(1)
    # What is left is little more than was planted, also of videos that lack something.
    assert viewers.base.noise == pytest.approx(0.3**2, rel=0.3)


def test_what_a_video_lacks_leaves_more_weight_to_the_rest() -> None:
    both, lacks = [0, COUNT], [1, -1]
    signals = Signals(
        code_IM=np.array([both, lacks]),
        response_I=np.array([1.0, 2.0]),
        known_I=np.ones(2, bool),
        offer_IT=np.full((2, 2 * COUNT), 1 / COUNT),
    )
    evidence = SignalsApart.of(signals).over(np.array([0]), np.array([2])).weighed(np.array([[0.25, 0.75]]))
    response_T, together_TT = np.zeros(2 * COUNT), np.zeros((2 * COUNT, 2 * COUNT))
    response_T[both], response_T[1] = 1.0, 2.0 / 0.25
    together_TT[np.ix_(both, both)], together_TT[1, 1] = 1.0, 1 / 0.25**2
    assert evidence.response_BT[0] == pytest.approx(response_T)
    assert evidence.together_BTT[0] == pytest.approx(together_TT)
    assert evidence.shown_BT[0] == pytest.approx(np.bincount([0, COUNT, 1], minlength=2 * COUNT))
    assert evidence.exposures_B == pytest.approx([2])


def test_where_nothing_is_lacking_it_is_the_evidence_of_the_stretches() -> None:
    signals, _ = planted()
    heard, plain = stretches(signals), signals.over(np.array([0, EACH]), np.array([EACH, 2 * EACH]))
    assert len(heard) == VIEWERS
    evidence = heard.at(np.array([0, 1])).weighed(np.array([[0.5, 0.5]]))
    assert evidence.together_BTT == pytest.approx(plain.together_BTT)
    assert evidence.response_BT == pytest.approx(plain.response_BT)
    assert evidence.offer_BT == pytest.approx(plain.offer_BT)


def test_of_one_modality_there_is_one_kind() -> None:
    signals, _ = planted()
    first = Signals(
        code_IM=signals.code_IM[:, :1],
        response_I=signals.response_I,
        known_I=signals.known_I,
        offer_IT=signals.offer_IT[:, :COUNT],
    )
    heard, design_UF = stretches(first), np.ones((VIEWERS, 1))
    viewers = WeighedPopulation.fit(
        population(1), heard, design_UF, float((first.response_I**2).sum()), len(first.response_I)
    )
    assert viewers.weight_GM == pytest.approx(np.ones((1, 1)))
    prior = viewers.prior(design_UF)
    after, told_U = viewers.learn(prior, heard)
    alone = Belief(mean_BT=prior.mean_BGT[:, 0], precision_BTT=prior.precision_BGTT[:, 0])
    plain, plain_told_U = viewers.base.learn(alone, heard.weighed(np.ones((1, 1))))
    assert after.mean_BT == pytest.approx(plain.mean_BT)
    assert told_U == pytest.approx(plain_told_U)


def test_a_taste_that_is_drawn_anew_says_nothing_of_the_old_one_and_leaves_the_others() -> None:
    signals, _ = planted()
    viewers = fitted(signals)
    before, _ = viewers.learn(viewers.prior(np.ones((VIEWERS, 1))), stretches(signals))
    anew_M = [viewers.redrawn(before, modality) for modality in range(2)]
    assert sum(np.exp(anew.log_share_BG) for anew in anew_M) == pytest.approx(np.exp(before.log_share_BG))
    anew = anew_M[0]
    assert anew.mean_BGT[..., :COUNT].std(axis=-1) == pytest.approx(0)
    assert anew.mean_BGT[..., COUNT:] == pytest.approx(before.mean_BGT[..., COUNT:])
    variance_BGTT, old_BGTT = np.linalg.inv(anew.precision_BGTT), np.linalg.inv(before.precision_BGTT)
    assert variance_BGTT[..., COUNT:, COUNT:] == pytest.approx(old_BGTT[..., COUNT:, COUNT:])
    assert variance_BGTT[..., :COUNT, COUNT:] == pytest.approx(0)
    # Who heeds a modality has more to lose in it.
    heeded, ignored = viewers.weight_GM[:, 0].argmax(), viewers.weight_GM[:, 0].argmin()
    wide, narrow = (variance_BGTT[0, kind, 0, 0] for kind in (heeded, ignored))
    assert wide > 10 * narrow


def test_kinds_that_a_viewer_hardly_is_of_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    signals, _ = planted()
    viewers = fitted(signals)
    half, rest = (SignalsApart.of(signals).over(*_halves(which)) for which in range(2))
    after, _ = viewers.learn(viewers.prior(np.ones((VIEWERS, 1))), half)
    _, told_U = viewers.learn(after, rest)
    assert (after.log_share_BG < np.log(1e-3)).any()
    monkeypatch.setattr("swipewise.behavior.weighing._NEGLIGIBLE", -np.inf)
    _, exact_U = viewers.learn(after, rest)
    assert (told_U != exact_U).any()
    assert told_U == pytest.approx(exact_U, abs=0.05)


def _halves(which: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    start_U = EACH * np.arange(VIEWERS) + which * EACH // 2
    return start_U, start_U + EACH // 2
