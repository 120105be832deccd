"""A model of tastes: what viewers like shows in how long they watch and in what the platform picks for them.

A viewer has a taste θ for every theme. A response is the sum of the tastes for the video's themes, what everybody
makes of the video, and noise of variance σ². What is shown follows the tastes too: among the videos on offer, a theme
turns up in proportion to its offer times e^{βθ}. Before anything is known of a viewer, θ is normal about what viewers
of that profile like. σ², β and the normal are learned from the platform's own log.

Legend of shape suffixes: U = viewers, T = themes of all modalities side by side, M = modalities, K = themes of a
modality, F = columns of the profile's design, B = stretches of histories, G = values of β that are tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swipewise.behavior.evidence import Evidence

_ROUNDS = 15
_MORE_ROUNDS = 5
_STEPS = 4  # of Newton's method; the posterior is log-concave
_TARGETING = np.linspace(0.0, 4.0, 81)
_TOGETHER = 64  # stretches
_LARGEST = 30.0  # exponents beyond this overflow nothing, but say nothing more either


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What is believed of the tastes in each of B stretches: normal with mean_BT and precision_BTT."""

    mean_BT: NDArray[np.float64]
    precision_BTT: NDArray[np.float64]

    def at(self, rows_B: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Belief:
        """The beliefs at some rows."""
        return Belief(mean_BT=self.mean_BT[rows_B], precision_BTT=self.precision_BTT[rows_B])


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """What is typical: tastes by profile, their covariance_TT, and how watching and showing follow them.

    coefficients_FT: what each column of a profile's design adds to the typical tastes.
    """

    modalities: int
    coefficients_FT: NDArray[np.float64]
    covariance_TT: NDArray[np.float64]
    noise: float
    targeting: float

    def belief(self, design_BF: NDArray[np.float64]) -> Belief:
        """What is believed of viewers with these profiles before they do anything."""
        precision_TT = np.linalg.inv(self.covariance_TT)
        return Belief(
            mean_BT=design_BF @ self.coefficients_FT,
            precision_BTT=np.broadcast_to(precision_TT, (len(design_BF), *precision_TT.shape)),
        )

    def learn(self, belief: Belief, evidence: Evidence) -> tuple[Belief, NDArray[np.float64]]:
        """What is believed after the evidence, and the evidence's log-likelihood (B,).

        By Laplace's method; the likelihood leaves out what depends on the evidence alone, so only those of the same
        evidence under different beliefs compare.
        """
        found = [self._learned(belief.at(block), evidence.at(block)) for block in _blocks(len(evidence))]
        return _joined([after for after, _ in found]), np.concatenate([likelihood_B for _, likelihood_B in found])

    def posterior(self, belief: Belief, evidence: Evidence) -> Belief:
        """What is believed after the evidence, as :meth:`learn` has it."""
        return _joined([self._posterior(belief.at(block), evidence.at(block)) for block in _blocks(len(evidence))])

    def _learned(self, belief: Belief, evidence: Evidence) -> tuple[Belief, NDArray[np.float64]]:
        after = self._posterior(belief, evidence)
        theta_BT, moved_BT = after.mean_BT, after.mean_BT - belief.mean_BT
        _, offered_B = _shares(theta_BT, evidence, self.targeting, self.modalities)
        likelihood_B: NDArray[np.float64] = (
            -0.5 * _squared(moved_BT, belief.precision_BTT)
            - 0.5 * _squared(theta_BT, evidence.together_BTT) / self.noise
            + (evidence.response_BT * theta_BT).sum(axis=1) / self.noise
            + self.targeting * (evidence.shown_BT * theta_BT).sum(axis=1)
            - evidence.exposures_B * offered_B
            + 0.5 * (_log_determinant(belief.precision_BTT) - _log_determinant(after.precision_BTT))
        )
        return after, likelihood_B

    def _posterior(self, belief: Belief, evidence: Evidence) -> Belief:
        shared = (self.targeting, self.modalities)
        mean_BT, precision_BTT = belief.mean_BT, belief.precision_BTT
        start_BT = np.einsum("btq,bq->bt", precision_BTT, mean_BT) + evidence.response_BT / self.noise
        normal_BTT = precision_BTT + evidence.together_BTT / self.noise
        theta_BT = mean_BT
        for _ in range(_STEPS):
            share_BT, _ = _shares(theta_BT, evidence, *shared)
            surplus_BT = evidence.shown_BT - evidence.exposures_B[:, None] * share_BT
            slope_BT = start_BT + self.targeting * surplus_BT - np.einsum("btq,bq->bt", normal_BTT, theta_BT)
            curve_BTT = self._curved(normal_BTT, share_BT, evidence)
            theta_BT = theta_BT + np.linalg.solve(curve_BTT, slope_BT[..., None])[..., 0]
        share_BT, _ = _shares(theta_BT, evidence, *shared)
        return Belief(mean_BT=theta_BT, precision_BTT=self._curved(normal_BTT, share_BT, evidence))

    def _curved(
        self, normal_BTT: NDArray[np.float64], share_BT: NDArray[np.float64], evidence: Evidence
    ) -> NDArray[np.float64]:
        """The precision with what the exposures add to it, which is nothing between modalities."""
        share_BMK = share_BT.reshape(len(share_BT), self.modalities, share_BT.shape[1] // self.modalities)
        spread_BMKK = -share_BMK[..., :, None] * share_BMK[..., None, :]
        np.einsum("bmkk->bmk", spread_BMKK)[...] += share_BMK
        spread_BMKK *= (self.targeting**2 * evidence.exposures_B)[:, None, None, None]
        curved_BTT = normal_BTT.copy()
        # A view of the blocks on the diagonal.
        np.einsum("bmkml->bmkl", curved_BTT.reshape(*share_BMK.shape, *share_BMK.shape[1:]))[...] += spread_BMKK
        return curved_BTT


def fit_population(
    evidence: Evidence,
    squares: float,
    responses: int,
    design_UF: NDArray[np.float64],
    modalities: int,
    *,
    start: Population | None = None,
) -> Population:
    """Learn what is typical from what every viewer did, by expectation maximisation.

    Args:
        evidence: One stretch a viewer, in the order of ``design_UF``; viewers without interactions teach nothing.
        squares: Sum of the squared responses, ``responses`` of them.
        responses: How many.
        design_UF: The profiles as numbers, a column of ones among them.
        modalities: Into which the themes fall, each with as many.
        start: What was learned from nearly the same evidence; fewer rounds are needed from there.
    """
    known_U = evidence.exposures_B > 0
    seen, design = evidence.at(known_U), design_UF[known_U]
    width = seen.shown_BT.shape[1]
    population = start or Population(
        modalities=modalities,
        coefficients_FT=np.zeros((design.shape[1], width)),
        covariance_TT=np.eye(width) * max(squares / max(responses, 1), 1e-3) / modalities / 2,
        noise=max(squares / max(responses, 1), 1e-3) / 2,
        targeting=0.5,
    )
    rounds = _ROUNDS if start is None else _MORE_ROUNDS
    for _ in range(rounds if known_U.any() else 0):
        belief = population.posterior(population.belief(design), seen)
        variance_UTT = np.linalg.inv(belief.precision_BTT).astype(np.float64)
        normal_FF = design.T @ design + np.eye(design.shape[1])
        coefficients_FT = np.linalg.solve(normal_FF, design.T @ belief.mean_BT).astype(np.float64)
        rest_UT = belief.mean_BT - design @ coefficients_FT
        covariance_TT = (rest_UT.T @ rest_UT + variance_UTT.sum(axis=0)) / len(design)
        population = Population(
            modalities=modalities,
            coefficients_FT=coefficients_FT,
            covariance_TT=covariance_TT + 1e-4 * np.eye(width),
            noise=_noise(belief, variance_UTT, seen, squares, responses),
            targeting=_targeting(belief, variance_UTT, seen, modalities),
        )
    return population


def redrawn(before: Belief, modalities: int) -> tuple[tuple[Belief, ...], NDArray[np.float64]]:
    """What is believed if the taste in one modality was drawn anew, and each one's share of what tastes vary: (B, M).

    A new taste varies as much between themes as the old one did, so what mattered to the viewer goes on mattering.
    """
    covariance_BTT = np.linalg.inv(before.precision_BTT)
    width = before.mean_BT.shape[1]
    count = width // modalities
    between_KK = np.eye(count) - 1 / count
    found, variances = [], []
    for modality in range(modalities):
        own = slice(modality * count, (modality + 1) * count)
        others = np.delete(np.arange(width), own)
        level_B1 = before.mean_BT[:, own].mean(axis=1, keepdims=True)
        own_BKK = covariance_BTT[:, own, own]
        square_B = ((before.mean_BT[:, own] - level_B1) ** 2).sum(axis=1)
        variance_B = (square_B + (own_BKK * between_KK).sum(axis=(1, 2))) / max(count - 1, 1)
        anew_BKK = (
            variance_B[:, None, None] * (between_KK + 1e-3) + own_BKK.mean(axis=(1, 2))[:, None, None]
        ) + 1e-6 * np.eye(count)
        # Nothing is left between this modality and the others, so that each part is inverted by itself.
        precision_BTT, mean_BT = np.zeros_like(covariance_BTT), before.mean_BT.copy()
        precision_BTT[:, own, own] = np.linalg.inv(anew_BKK)
        rest_BTT = np.linalg.inv(covariance_BTT[:, others[:, None], others])
        precision_BTT[:, others[:, None], others] = rest_BTT
        mean_BT[:, own] = level_B1
        found.append(Belief(mean_BT=mean_BT, precision_BTT=precision_BTT))
        variances.append(np.maximum(variance_B, 1e-12))
    variance_BM = np.stack(variances, axis=1)
    return tuple(found), variance_BM / variance_BM.sum(axis=1, keepdims=True)


def _noise(
    belief: Belief, variance_UTT: NDArray[np.float64], seen: Evidence, squares: float, responses: int
) -> float:
    """The expected squared distance of a response from the tastes."""
    second_UTT = variance_UTT + belief.mean_BT[:, :, None] * belief.mean_BT[:, None, :]
    explained = float((seen.together_BTT * second_UTT).sum() - 2 * (seen.response_BT * belief.mean_BT).sum())
    return max((squares + explained) / max(responses, 1), 1e-3)


def _targeting(belief: Belief, variance_UTT: NDArray[np.float64], seen: Evidence, modalities: int) -> float:
    """The β that makes what was shown most likely under what is believed."""
    gain_G = _TARGETING * float((seen.shown_BT * belief.mean_BT).sum())
    for block in _blocks(len(seen)):
        theta_BT, some = belief.mean_BT[block], seen.at(block)
        share_BMGK, offered_BG = _shares_by(theta_BT, some, _TARGETING, modalities)
        own_BMKK = _within(variance_UTT[block], modalities)
        each_BM1K = np.einsum("bmkk->bmk", own_BMKK)[:, :, None]
        # The variance of a taste that is drawn as themes are shown: nothing is shared between modalities.
        doubt_BG = (share_BMGK * (each_BM1K - share_BMGK @ own_BMKK)).sum(axis=(1, 3))
        gain_G -= some.exposures_B @ (offered_BG + 0.5 * _TARGETING**2 * doubt_BG)
    return float(_TARGETING[gain_G.argmax()])


def _shares(
    theta_BT: NDArray[np.float64], evidence: Evidence, targeting: float, modalities: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The share of exposures each theme should get (B, T), and the log of what they are divided by (B,)."""
    share_BM1K, offered_B1 = _shares_by(theta_BT, evidence, np.array([targeting]), modalities)
    return share_BM1K.reshape(theta_BT.shape), offered_B1[:, 0]


def _shares_by(
    theta_BT: NDArray[np.float64], evidence: Evidence, targeting_G: NDArray[np.float64], modalities: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same by each of several β: (B, M, G, K) and (B, G)."""
    count = theta_BT.shape[1] // modalities
    offer_BM1K = evidence.offer_BT.reshape(len(evidence), modalities, 1, count)
    lacking_BM1 = np.maximum(1.0 - offer_BM1K.sum(axis=3), 0.0)
    pull_BMGK = targeting_G[:, None] * theta_BT.reshape(offer_BM1K.shape)
    weight_BMGK = offer_BM1K * np.exp(np.clip(pull_BMGK, -_LARGEST, _LARGEST))
    total_BMG = weight_BMGK.sum(axis=3) + lacking_BM1
    share_BMGK: NDArray[np.float64] = weight_BMGK / total_BMG[..., None]
    offered_BG: NDArray[np.float64] = np.log(total_BMG).sum(axis=1)
    return share_BMGK, offered_BG


def _blocks(stretches: int) -> list[slice]:
    """So few stretches at a time that what is worked on stays in the processor's cache; one block at least."""
    return [slice(first, first + _TOGETHER) for first in range(0, max(stretches, 1), _TOGETHER)]


def _joined(beliefs: Sequence[Belief]) -> Belief:
    if len(beliefs) == 1:
        return beliefs[0]
    return Belief(
        mean_BT=np.concatenate([each.mean_BT for each in beliefs]),
        precision_BTT=np.concatenate([each.precision_BTT for each in beliefs]),
    )


def _log_determinant(precision_BTT: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of positive definite matrices: (B,)."""
    try:
        root_BT = np.diagonal(np.linalg.cholesky(precision_BTT), axis1=1, axis2=2)
    except np.linalg.LinAlgError:  # through rounding one is not quite
        logs_B: NDArray[np.float64] = np.linalg.slogdet(precision_BTT)[1]
    else:
        logs_B = 2 * np.log(root_BT).sum(axis=1)
    return logs_B


def _squared(values_BT: NDArray[np.float64], weights_BTT: NDArray[np.float64]) -> NDArray[np.float64]:
    """v W v of each: (B,)."""
    squared_B: NDArray[np.float64] = np.einsum("bt,btq,bq->b", values_BT, weights_BTT, values_BT)
    return squared_B


def _within(values_BTT: NDArray[np.float64], modalities: int) -> NDArray[np.float64]:
    """The blocks on the diagonal, of the themes of one modality each: (B, M, K, K)."""
    width = values_BTT.shape[1]
    count = width // modalities
    parted_BMKMK = values_BTT.reshape(len(values_BTT), modalities, count, modalities, count)
    return np.ascontiguousarray(np.einsum("bmkml->bmkl", parted_BMKMK))
