"""What is believed of tastes: the closed form where there is one, and what was planted where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from swipewise.behavior.evidence import Evidence
from swipewise.behavior.tastes import Population, fit_population


def evidence(shown: NDArray[np.float64], response: NDArray[np.float64], watched: NDArray[np.float64]) -> Evidence:
    """One modality whose themes are all on offer alike."""
    count = shown.shape[1]
    return Evidence(
        together_BTT=watched[:, :, None] * np.eye(count),
        response_BT=response,
        shown_BT=shown,
        exposures_B=shown.sum(axis=1),
        offer_BT=np.full(shown.shape, 1 / count),
    )


def population(targeting: float, noise: float = 0.5) -> Population:
    return Population(
        modalities=1,
        coefficients_FT=np.array([[0.1, -0.1]]),
        covariance_TT=np.array([[2.0, 0.5], [0.5, 1.0]]),
        noise=noise,
        targeting=targeting,
    )


def test_without_targeting_it_is_linear_regression() -> None:
    given = evidence(np.array([[3.0, 1.0]]), np.array([[2.0, -1.0]]), np.array([[3.0, 1.0]]))
    people = population(targeting=0.0)
    belief, likelihood_B = people.learn(people.belief(np.ones((1, 1))), given)
    before = np.linalg.inv(people.covariance_TT)
    after = before + np.diag([3.0, 1.0]) / 0.5
    start = before @ people.coefficients_FT[0] + np.array([2.0, -1.0]) / 0.5
    mean = np.linalg.solve(after, start)
    assert belief.mean_BT[0] == pytest.approx(mean)
    assert belief.precision_BTT[0] == pytest.approx(after)
    by_hand = 0.5 * (start @ mean - people.coefficients_FT[0] @ before @ people.coefficients_FT[0]) + 0.5 * (
        np.log(np.linalg.det(before)) - np.log(np.linalg.det(after))
    )
    assert likelihood_B == pytest.approx([by_hand])


def test_what_is_shown_often_is_liked() -> None:
    nothing = np.zeros((1, 2))
    given = evidence(np.array([[9.0, 1.0]]), nothing, nothing)
    unmoved = population(targeting=0.0)
    assert unmoved.learn(unmoved.belief(np.ones((1, 1))), given)[0].mean_BT[0] == pytest.approx([0.1, -0.1])
    heeded = population(targeting=1.0)
    liked, disliked = heeded.learn(heeded.belief(np.ones((1, 1))), given)[0].mean_BT[0]
    assert liked > 0.5 > -0.3 > disliked


def test_a_belief_that_fits_has_the_higher_likelihood() -> None:
    people = population(targeting=1.0)
    given = evidence(np.array([[0.0, 6.0]]), np.array([[0.0, 6.0]]), np.array([[0.0, 6.0]]))
    fits, clashes = (
        Population(
            modalities=1, coefficients_FT=np.array([mean]), covariance_TT=0.1 * np.eye(2), noise=0.5, targeting=1.0
        ).belief(np.ones((1, 1)))
        for mean in ([-1.0, 1.0], [1.0, -1.0])
    )
    assert people.learn(fits, given)[1] > people.learn(clashes, given)[1] + 5


def test_many_stretches_are_weighed_as_each_is() -> None:
    """Block by block, and with both modalities' themes at once."""
    rng, many = np.random.default_rng(0), 150
    people = Population(
        modalities=2,
        coefficients_FT=rng.normal(size=(1, 4)),
        covariance_TT=np.eye(4) + 0.3,
        noise=0.5,
        targeting=1.2,
    )
    one_BT = rng.random((many, 4))
    given = Evidence(
        together_BTT=one_BT[:, :, None] * one_BT[:, None, :],
        response_BT=rng.normal(size=(many, 4)),
        shown_BT=rng.integers(0, 5, (many, 4)).astype(np.float64),
        exposures_B=rng.integers(1, 9, many).astype(np.float64),
        offer_BT=np.full((many, 4), 0.4),
    )
    prior = people.belief(np.ones((many, 1)))
    after, likelihood_B = people.learn(prior, given)
    for stretch in (0, 63, 64, 149):
        rows = np.array([stretch])
        alone, likely_B = people.learn(prior.at(rows), given.at(rows))
        assert after.mean_BT[stretch] == pytest.approx(alone.mean_BT[0])
        assert after.precision_BTT[stretch] == pytest.approx(alone.precision_BTT[0])
        assert likelihood_B[stretch] == pytest.approx(likely_B[0])
    # At the mode the slope of what is believed is none: the shares of each modality pull their own themes alone.
    weight_BT = 0.4 * np.exp(1.2 * after.mean_BT)
    total_BT = (weight_BT.reshape(many, 2, 2).sum(axis=2) + 0.2).repeat(2, axis=1)
    surplus_BT = given.shown_BT - given.exposures_B[:, None] * weight_BT / total_BT
    pull_BT = (given.response_BT - (given.together_BTT @ after.mean_BT[..., None])[..., 0]) / 0.5
    away_BT = (prior.precision_BTT @ (after.mean_BT - prior.mean_BT)[..., None])[..., 0]
    assert pull_BT + 1.2 * surplus_BT == pytest.approx(away_BT, abs=1e-3)


def test_a_population_is_recovered() -> None:
    rng = np.random.default_rng(0)
    viewers, themes, noise, targeting = 3000, 3, 0.3, 1.5
    group_U = np.arange(viewers) % 2
    typical = np.array([[1.0, -0.5, -0.5], [-0.5, -0.5, 1.0]])
    theta_UT = typical[group_U] + 0.5 * rng.standard_normal((viewers, themes))
    share_UT = np.exp(targeting * theta_UT)
    share_UT /= share_UT.sum(axis=1, keepdims=True)
    shown_UT = np.stack([rng.multinomial(8, share) for share in share_UT]).astype(float)
    rest_UT = np.sqrt(noise * shown_UT) * rng.standard_normal(shown_UT.shape)
    squares = (shown_UT * theta_UT**2 + 2 * theta_UT * rest_UT).sum() + noise * shown_UT.sum()
    fitted = fit_population(
        evidence(shown_UT, shown_UT * theta_UT + rest_UT, shown_UT),
        float(squares),
        int(shown_UT.sum()),
        np.stack([np.ones(viewers), group_U], axis=1),
        modalities=1,
    )
    assert fitted.noise == pytest.approx(noise, rel=0.1)
    assert fitted.targeting == pytest.approx(targeting, rel=0.05)
    found = fitted.belief(np.array([[1.0, 0.0], [1.0, 1.0]])).mean_BT
    assert found == pytest.approx(typical, abs=0.15)
    assert np.diag(fitted.covariance_TT) == pytest.approx(np.full(themes, 0.25), abs=0.1)


def test_nobody_teaches_nothing() -> None:
    nothing = np.zeros((2, 2))
    fitted = fit_population(evidence(nothing, nothing, nothing), 0.0, 0, np.ones((2, 1)), modalities=1)
    assert np.array_equal(fitted.belief(np.ones((2, 1))).mean_BT, np.zeros((2, 2)))
    assert fitted.noise > 0
