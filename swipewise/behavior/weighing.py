"""Tastes of viewers who heed some modalities more than others.

What a viewer makes of a video is the mean of a taste for its picture, for its words and for its sound, each weighed by
how much the viewer heeds that modality. Viewers come in kinds: each has weights of its own and a share of the viewers,
which is learned. Within a kind the taste in a modality is its weight times a normal one about what viewers of that
profile like, so whoever hardly heeds sounds has no strong tastes in them. Where a video lacks a modality, the others
weigh the more. A :class:`~swipewise.behavior.tastes.Population` alone takes one kind for all.

Legend of shape suffixes: G = kinds, U = viewers, B = stretches of histories, M = modalities, K = themes of a modality,
T = M * K, F = columns of the profiles' design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Self

import numpy as np
from numpy.typing import NDArray

from swipewise.behavior.evidence import Evidence, Signals
from swipewise.behavior.tastes import Belief, Population

_PARTS = 4  # into which a viewer's heed is divided
_LEAST_HEED = 0.3  # of a part, that each modality has besides
_HEEDED = 0.1  # weights below this tell nothing of a taste
_NEGLIGIBLE = np.log(1e-3)  # share of a kind that is not worth the time
_ROUNDS = 6
_AT_ONCE = 256  # viewers
_MOST_WEIGHT = 1 / 0.15  # that what a video lacks leaves to the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalsApart:
    """The interactions of a log apart by which modalities the videos had: ``present_PM``, and as many parts.

    Each part has all rows of the log, with no themes in those of the others.
    """

    present_PM: NDArray[np.bool_]
    parts: tuple[Signals, ...]

    @classmethod
    def of(cls, signals: Signals) -> Self:
        """Of all interactions; where there are none, one part that has none."""
        has_IM = signals.code_IM >= 0
        number_I = has_IM @ (1 << np.arange(has_IM.shape[1]))
        numbers = np.unique(number_I) if len(number_I) else np.zeros(1, np.int64)
        return cls(
            present_PM=(numbers[:, None] >> np.arange(has_IM.shape[1])) & 1 > 0,
            parts=tuple(
                replace(signals, code_IM=np.where((number_I == number)[:, None], signals.code_IM, -1))
                for number in numbers
            ),
        )

    @property
    def response_I(self) -> NDArray[np.float64]:
        """As of the signals."""
        return self.parts[0].response_I

    @property
    def known_I(self) -> NDArray[np.bool_]:
        """As of the signals."""
        return self.parts[0].known_I

    def over(self, start_B: NDArray[np.int64], end_B: NDArray[np.int64]) -> Heard:
        """Sum up the interactions [start, end) of each stretch."""
        return Heard(present_PM=self.present_PM, parts=tuple(part.over(start_B, end_B) for part in self.parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Evidence apart by which modalities the videos had: ``present_PM``, and as many parts."""

    present_PM: NDArray[np.bool_]
    parts: tuple[Evidence, ...]

    def __len__(self) -> int:
        return len(self.parts[0])

    def at(self, rows_B: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Heard:
        """The stretches at some rows."""
        return replace(self, parts=tuple(part.at(rows_B) for part in self.parts))

    @property
    def shown_BT(self) -> NDArray[np.float64]:
        """Exposures with each theme."""
        shown_BT: NDArray[np.float64] = np.sum([part.shown_BT for part in self.parts], axis=0)
        return shown_BT

    def weighed(self, weight_BM: NDArray[np.float64]) -> Evidence:
        """As it tells of viewers with these weights: of videos that lack a modality, the rest weighs the more.

        Args:
            weight_BM: Of each stretch, or (1, M) of all.
        """
        left_BP = np.maximum(weight_BM @ self.present_PM.T, 1e-9)
        more_BP = np.minimum(weight_BM.sum(axis=1, keepdims=True) / left_BP, _MOST_WEIGHT)
        first = self.parts[0]
        together_BTT, response_BT, shown_BT = (
            np.zeros_like(each) for each in (first.together_BTT, first.response_BT, first.shown_BT)
        )
        for more_B1, part in zip(more_BP.T[:, :, None], self.parts, strict=True):
            together_BTT += more_B1[:, :, None] ** 2 * part.together_BTT
            response_BT += more_B1 * part.response_BT
            shown_BT += part.shown_BT
        return Evidence(
            together_BTT=together_BTT,
            response_BT=response_BT,
            shown_BT=shown_BT,
            exposures_B=first.exposures_B,
            offer_BT=first.offer_BT,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedBelief:
    """What is believed of viewers: their tastes if they were of each kind, and how likely that is, in logs (B, G)."""

    mean_BGT: NDArray[np.float64]
    precision_BGTT: NDArray[np.float64]
    log_share_BG: NDArray[np.float64]

    def at(self, rows_B: NDArray[np.int64] | NDArray[np.bool_] | slice) -> WeighedBelief:
        """The beliefs at some rows."""
        return WeighedBelief(
            mean_BGT=self.mean_BGT[rows_B],
            precision_BGTT=self.precision_BGTT[rows_B],
            log_share_BG=self.log_share_BG[rows_B],
        )

    @property
    def mean_BT(self) -> NDArray[np.float64]:
        """The expected tastes."""
        mean_BT: NDArray[np.float64] = np.einsum("bg,bgt->bt", np.exp(self.log_share_BG), self.mean_BGT)
        return mean_BT


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedPopulation:
    """What is typical of viewers of several kinds.

    base: how watching and showing follow tastes; weight_GM: of each kind, rows sum to 1; share_G: of the viewers;
    coefficients_FT: what each column of a profile's design adds to the typical tastes at a weight of 1;
    covariance_MKK: of what is left of tastes, at a weight of 1; spread_MKK: of what profiles make of them.
    """

    base: Population
    weight_GM: NDArray[np.float64]
    share_G: NDArray[np.float64]
    coefficients_FT: NDArray[np.float64]
    covariance_MKK: NDArray[np.float64]
    spread_MKK: NDArray[np.float64]

    @classmethod
    def fit(
        cls, base: Population, heard: Heard, design_UF: NDArray[np.float64], squares: float, responses: int
    ) -> Self:
        """Learn from what every viewer did, by expectation maximisation from what they have in common.

        Args:
            base: Learned from the same viewers, taken for one kind.
            heard: One stretch a viewer, in the order of ``design_UF``.
            design_UF: The profiles as numbers, a column of ones among them.
            squares: Sum of the squared responses, ``responses`` of them.
            responses: How many.
        """
        weight_GM = _kinds(base.modalities)
        count = len(base.covariance_TT) // base.modalities
        own = _slices(base.modalities, count)
        square = float((weight_GM**2).mean())
        found = cls(
            base=base,
            weight_GM=weight_GM,
            share_G=np.full(len(weight_GM), 1 / len(weight_GM)),
            coefficients_FT=base.coefficients_FT * base.modalities,
            covariance_MKK=np.stack([base.covariance_TT[block, block] for block in own]) / square,
            spread_MKK=np.zeros((base.modalities, count, count)),
        )
        for _ in range(_ROUNDS if len(heard) else 0):
            sums = _Sums.of(found)
            for first in range(0, len(heard), _AT_ONCE):
                some = slice(first, first + _AT_ONCE)
                found._add(sums, heard.at(some), design_UF[some])
            found = found._after(sums, design_UF, squares, responses)
        return found

    def prior(self, design_BF: NDArray[np.float64]) -> WeighedBelief:
        """What is believed of viewers with these profiles before they do anything."""
        kinds, count = len(self.weight_GM), len(self.covariance_MKK[0])
        width = self.base.modalities * count
        precision_GTT = np.zeros((kinds, width, width))
        for modality, own in enumerate(_slices(self.base.modalities, count)):
            precision_GTT[:, own, own] = self._precision(modality, self.covariance_MKK[modality])
        typical_BT, weight_GT = design_BF @ self.coefficients_FT, np.repeat(self.weight_GM, count, axis=1)
        return WeighedBelief(
            mean_BGT=typical_BT[:, None] * weight_GT,
            precision_BGTT=np.broadcast_to(precision_GTT, (len(design_BF), *precision_GTT.shape)),
            log_share_BG=np.broadcast_to(np.log(self.share_G), (len(design_BF), kinds)),
        )

    def learn(self, belief: WeighedBelief, heard: Heard) -> tuple[WeighedBelief, NDArray[np.float64]]:
        """What is believed after the evidence, and the evidence's log-likelihood, as Population.learn has them."""
        kind_N, row_N = np.nonzero(belief.log_share_BG.T > _NEGLIGIBLE)
        mean_BGT, precision_BGTT = belief.mean_BGT.copy(), belief.precision_BGTT.copy()
        told_BG = np.full(belief.log_share_BG.shape, -np.inf)
        for first in range(0, len(row_N), _AT_ONCE):
            rows, kinds = row_N[first : first + _AT_ONCE], kind_N[first : first + _AT_ONCE]
            before = Belief(mean_BT=mean_BGT[rows, kinds], precision_BTT=precision_BGTT[rows, kinds])
            after, told_BG[rows, kinds] = self.base.learn(before, heard.at(rows).weighed(self.weight_GM[kinds]))
            mean_BGT[rows, kinds], precision_BGTT[rows, kinds] = after.mean_BT, after.precision_BTT
        joint_BG = belief.log_share_BG + told_BG
        told_B: NDArray[np.float64] = np.logaddexp.reduce(joint_BG, axis=1)
        learned = WeighedBelief(
            mean_BGT=mean_BGT, precision_BGTT=precision_BGTT, log_share_BG=joint_BG - told_B[:, None]
        )
        return learned, told_B

    def redrawn(self, before: WeighedBelief, modality: int) -> WeighedBelief:
        """What is believed if the taste in one modality was drawn anew, with the chance that it was that one.

        That it was this modality is the likelier the more the viewer heeds it, so the shares no longer sum to 1. A new
        taste is anybody's; what the viewer makes of the modality on the whole stays.
        """
        count = len(self.covariance_MKK[0])
        own = _slices(self.base.modalities, count)[modality]
        others = np.delete(np.arange(self.base.modalities * count), own)
        typical_KK = self.covariance_MKK[modality] + self.spread_MKK[modality]
        # Nothing is left between this modality and the others.
        mean_BGT, precision_BGTT = before.mean_BGT.copy(), np.zeros(before.precision_BGTT.shape)
        precision_BGTT[..., others[:, None], others] = _without(before.precision_BGTT, own, others)
        precision_BGTT[..., own, own] = self._precision(modality, typical_KK)
        mean_BGT[..., own] = before.mean_BGT[..., own].mean(axis=-1, keepdims=True)
        return WeighedBelief(
            mean_BGT=mean_BGT,
            precision_BGTT=precision_BGTT,
            log_share_BG=before.log_share_BG + np.log(self.weight_GM[:, modality]),
        )

    def _precision(self, modality: int, covariance_KK: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the tastes of each kind in a modality, given their covariance at a weight of 1: (G, K, K)."""
        covariance_GKK = covariance_KK * self.weight_GM[:, modality, None, None] ** 2
        return np.asarray(np.linalg.inv(_sure(covariance_GKK)), np.float64)

    def _add(self, sums: _Sums, heard: Heard, design_BF: NDArray[np.float64]) -> None:
        """The expectations of some viewers."""
        after, _ = self.learn(self.prior(design_BF), heard)
        share_BG = np.exp(after.log_share_BG)
        sums.share_G += share_BG.sum(axis=0)
        for kind, (share_B, weight_M) in enumerate(zip(share_BG.T, self.weight_GM, strict=True)):
            evidence = heard.weighed(weight_M[None])
            variance_BTT = np.linalg.inv(after.precision_BGTT[:, kind])
            mean_BT = after.mean_BGT[:, kind]
            second_BTT = variance_BTT + mean_BT[:, :, None] * mean_BT[:, None, :]
            explained_B = (evidence.together_BTT * second_BTT).sum(axis=(1, 2))
            sums.explained += float(share_B @ (explained_B - 2 * (evidence.response_BT * mean_BT).sum(axis=1)))
            shared_BF = share_B[:, None] * design_BF
            for modality, own in enumerate(_slices(self.base.modalities, len(self.covariance_MKK[0]))):
                weight = weight_M[modality]
                if weight < _HEEDED:
                    continue
                sums.design_MFF[modality] += shared_BF.T @ design_BF
                sums.taste_MFK[modality] += shared_BF.T @ mean_BT[:, own] / weight
                sums.second_MKK[modality] += np.einsum("b,bkl->kl", share_B, second_BTT[:, own, own]) / weight**2
                sums.viewers_M[modality] += share_B.sum()

    def _after(self, sums: _Sums, design_UF: NDArray[np.float64], squares: float, responses: int) -> Self:
        """What the expectations of all viewers make likeliest."""
        coefficients_FT, covariance_MKK = self.coefficients_FT.copy(), self.covariance_MKK.copy()
        spread_MKK = self.spread_MKK.copy()
        for modality, own in enumerate(_slices(self.base.modalities, len(covariance_MKK[0]))):
            normal_FF, taste_FK = sums.design_MFF[modality], sums.taste_MFK[modality]
            found_FK = np.linalg.solve(normal_FF + np.eye(len(normal_FF)), taste_FK)
            told_KK = found_FK.T @ taste_FK
            rest_KK = sums.second_MKK[modality] - told_KK - told_KK.T + found_FK.T @ normal_FF @ found_FK
            coefficients_FT[:, own] = found_FK
            covariance_MKK[modality] = (rest_KK + 1e-2 * np.eye(len(rest_KK))) / (sums.viewers_M[modality] + 1)
            typical_UK = design_UF @ found_FK
            typical_UK -= typical_UK.mean(axis=0)
            spread_MKK[modality] = typical_UK.T @ typical_UK / len(typical_UK)
        share_G = sums.share_G + 1
        noise = max((squares + sums.explained) / max(responses, 1), 1e-3)
        return replace(
            self,
            base=replace(self.base, noise=noise),
            share_G=share_G / share_G.sum(),
            coefficients_FT=coefficients_FT,
            covariance_MKK=covariance_MKK,
            spread_MKK=spread_MKK,
        )


@dataclass(slots=True, kw_only=True)
class _Sums:
    """What a round of expectation maximisation sums over viewers and kinds; tastes at a weight of 1."""

    share_G: NDArray[np.float64]
    design_MFF: NDArray[np.float64]
    taste_MFK: NDArray[np.float64]
    second_MKK: NDArray[np.float64]
    viewers_M: NDArray[np.float64]
    explained: float = field(default=0.0)

    @classmethod
    def of(cls, population: WeighedPopulation) -> Self:
        columns, width = population.coefficients_FT.shape
        modalities = population.base.modalities
        return cls(
            share_G=np.zeros_like(population.share_G),
            design_MFF=np.zeros((modalities, columns, columns)),
            taste_MFK=np.zeros((modalities, columns, width // modalities)),
            second_MKK=np.zeros_like(population.covariance_MKK),
            viewers_M=np.zeros(modalities),
        )


def _kinds(modalities: int) -> NDArray[np.float64]:
    """The weights of all ways in which a viewer's heed can be divided: (G, M)."""
    parts = [each for each in product(range(_PARTS + 1), repeat=modalities) if sum(each) == _PARTS]
    weight_GM = np.array(parts, np.float64) + _LEAST_HEED
    divided_GM: NDArray[np.float64] = weight_GM / weight_GM.sum(axis=1, keepdims=True)
    return divided_GM


def _slices(modalities: int, count: int) -> Sequence[slice]:
    return [slice(first * count, (first + 1) * count) for first in range(modalities)]


def _sure(covariance_KK: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same, one or several, certainly positive definite."""
    return covariance_KK + 1e-4 * np.eye(covariance_KK.shape[-1])


def _without(precision_BTT: NDArray[np.float64], own: slice, others: NDArray[np.int64]) -> NDArray[np.float64]:
    """The precision of the others if the own may be anything."""
    across_BKT = precision_BTT[..., own, others]
    lost_BTT = across_BKT.swapaxes(-1, -2) @ np.linalg.solve(precision_BTT[..., own, own], across_BKT)
    left_BTT: NDArray[np.float64] = precision_BTT[..., others[:, None], others] - lost_BTT
    return left_BTT
