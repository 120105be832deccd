"""The judgements of an audit, one function a check: from what was measured to pass or warn.

Legend of shape suffixes: K = bins, S = draws.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from swipewise.evaluation.actions import ActionExam
from swipewise.evaluation.audit_alignment import Alignment
from swipewise.evaluation.audit_attention import AttentionSpread, SegmentWeights
from swipewise.evaluation.audit_findings import Finding, Thresholds, judged, plain, skipped
from swipewise.evaluation.audit_ranking import AS_IT_IS, PERMUTED, REMOVED, SHUFFLED, RankingEffects
from swipewise.evaluation.beyond import BeyondAccuracy
from swipewise.evaluation.classify import Reliability
from swipewise.evaluation.comparison import Against
from swipewise.evaluation.segments import Segment
from swipewise.evaluation.wording import interval, number, signed

_DRAWS: Final = 200


def judge_attention(
    spread: AttentionSpread | None, without: Collection[str], bounds: Thresholds
) -> tuple[Finding, ...]:
    """Whether α has left uniform, differs between viewers, and does not always hang on one modality."""
    titles = {
        "attention-uniform": "Modality weights are not uniform",
        "attention-viewers": "Modality weights differ between viewers",
        "attention-single": "No modality decides alone",
    }
    if spread is None or "attention" in without:
        why = (
            "model.without leaves attention out."
            if "attention" in without
            else "There are no two modalities to weigh, or no viewer with a history."
        )
        return tuple(skipped(check, title, why) for check, title in titles.items())
    name, share, weight = spread.favourite
    return (
        judged(
            "attention-uniform",
            titles["attention-uniform"],
            spread.deviation >= bounds.deviation,
            plain(spread.deviation),
            f"at least {bounds.deviation:.2f}",
            bounds.deviation,
            text=f"α deviates from uniform by {spread.deviation:.0%} of it on average; its entropy is "
            f"{spread.entropy:.3f} of the highest possible.",
            mend="Fusion is not learning. Train longer (training.epochs, training.patience) or faster "
            "(training.learning_rate), try model.norm = 'rms', and see whether the modalities tell anything: "
            "'swipewise ablate'.",
        ),
        judged(
            "attention-viewers",
            titles["attention-viewers"],
            spread.variation >= bounds.variation,
            plain(spread.variation),
            f"at least {bounds.variation:.2f}",
            bounds.variation,
            text=f"A modality's mean weight has a standard deviation of {spread.variation:.3f} over "
            f"{len(spread.viewers_U):,} viewers.",
            mend="All viewers are weighed alike. Longer histories (model.history, model.memory) or profiles tell "
            "viewers apart; a higher training.watch_weight gives every exposure a say.",
        ),
        judged(
            "attention-single",
            titles["attention-single"],
            not (share > bounds.favourite_share and weight > bounds.favourite_weight),
            plain(weight),
            f"at most {bounds.favourite_weight:.2f}, or not for more than {bounds.favourite_share:.0%} of viewers",
            bounds.favourite_weight,
            text=f"{name} is the largest weight of {share:.0%} of the viewers, with {weight:.2f} on average.",
            mend=_one_modality(name),
        ),
    )


def _one_modality(name: str) -> str:
    if name == "id":
        return "Raise model.id_dropout, so that content has to carry videos as well."
    return (
        f"See what the others add with 'swipewise ablate'; model.norm = 'layer' keeps {name} from being heard by its "
        "length alone, and training.alignment_weight above 0 lets the others learn from it."
    )


def judge_segments(segments: Sequence[SegmentWeights], without: Collection[str], bounds: Thresholds) -> Finding:
    """Whether some segment or category is heard differently from the rest."""
    check, title = "attention-segments", "Modality weights depend on viewer and category"
    if not segments or "attention" in without:
        return skipped(check, title, "No segment or category is large enough to be told from the rest.")
    farthest = max(segments, key=lambda one: one.distance)
    return judged(
        check,
        title,
        farthest.distance >= bounds.segment_distance,
        plain(farthest.distance),
        f"at least {bounds.segment_distance:.2f}",
        bounds.segment_distance,
        text=f"Of {len(segments)} segments and categories {farthest.name} is farthest from the mean: "
        f"{farthest.distance:.0%} of its weight lies elsewhere.",
        mend="Weights are the same everywhere: mend the attention first (the checks above).",
    )


def judge_order(effects: RankingEffects, without: Collection[str], bounds: Thresholds) -> Finding:
    """Whether shuffling every history makes rankings worse."""
    check, title = "order", "The order of histories is used"
    left_out = sorted({"sequence", "positions"} & set(without))
    if left_out:
        return skipped(check, title, f"model.without leaves {' and '.join(left_out)} out.")
    against = effects.loss(SHUFFLED)
    assert against is not None, "shuffling is always measured"
    return judged(
        check,
        title,
        against.difference.low > bounds.order,
        against.difference,
        f"low end above {bounds.order:g}",
        bounds.order,
        text=f"NDCG@10 {_change(against)} when every viewer's history is shuffled "
        "(videos move with what was done, times stay).",
        mend="Either the order says nothing in this data, which 'swipewise ablate --parts sequence,positions' tells, "
        "or the Transformer does not read it: give it longer histories (model.history) or more epochs.",
    )


def judge_profiles(effects: RankingEffects, without: Collection[str], bounds: Thresholds) -> Finding:
    """Whether another's profile makes rankings worse, for all viewers or for the cold ones; none at all is told too."""
    check, title = "profile", "Profiles are used"
    if "profile" in without:
        return skipped(check, title, "model.without leaves profile out.")
    measured = [
        against
        for segment in (Segment.ALL, Segment.COLD_VIEWERS)
        for name in (PERMUTED, REMOVED)
        if (against := effects.loss(name, segment)) is not None
    ]
    if not measured:
        return skipped(check, title, "No viewer has a profile: import some with 'swipewise viewers import'.")
    permuted = [against for against in measured if against.other == PERMUTED]
    best = max(permuted, key=lambda against: against.difference.low)
    told = "; ".join(f"{against.other}, {_who(against.segment)}: {_change(against)}" for against in measured)
    return judged(
        check,
        title,
        best.difference.low > bounds.profile,
        best.difference,
        f"low end above {bounds.profile:g} for all or for cold viewers",
        bounds.profile,
        text=f"NDCG@10 with {told}.",
        mend="See whether profiles say anything with 'swipewise ablate --parts profile'; if they should, import more "
        "fields with 'swipewise viewers import', or raise training.hidden_share so that histories alone do not do.",
    )


def _who(segment: str) -> str:
    return "all viewers" if segment == Segment.ALL else str(segment)


def _change(against: Against) -> str:
    """What the altered one gains, as words."""
    found = against.difference
    change = {"low": 0.0 - found.high, "high": 0.0 - found.low}  # not -x, which of 0 makes -0
    return f"{signed(0.0 - found.value, 4)} ({interval(change, 4)})"


def judge_alignment(aligned: Sequence[Alignment], weight: float, bounds: Thresholds) -> Finding:
    """Whether a modality of a video finds the video's other modalities; only where it was trained to."""
    check, title = "alignment", "Modalities of one video lie together"
    if not aligned:
        return skipped(check, title, "No two content modalities of a video to compare.")
    told = "; ".join(
        f"{one.first} and {one.second}: cosine {one.same:.2f} against {one.different:.2f} for different videos, "
        f"rank {one.rank:.2f}"
        for one in aligned
    )
    if not weight:
        return skipped(check, title, f"Not trained for (training.alignment_weight = 0). {told}.")
    worst = max(aligned, key=lambda one: one.rank)
    return judged(
        check,
        title,
        worst.rank <= bounds.rank,
        plain(worst.rank),
        f"at most {bounds.rank:.2f}",
        bounds.rank,
        text=f"{told}. Rank 0 always finds the same video, 0.5 is chance.",
        mend=f"Raise training.alignment_weight = {weight:g}, or accept that {worst.first} and {worst.second} say "
        "different things of a video.",
    )


def judge_lost(effects: RankingEffects, bounds: Thresholds) -> Finding:
    """Whether a modality missing from half of the videos costs more than those videos' share."""
    check, title = "missing", "A missing modality costs little"
    if not effects.lost:
        return skipped(check, title, "There is no content modality that could be missed.")
    each = [(one, effects.relative_loss(one.name)) for one in effects.lost]
    worst, loss = max(each, key=lambda pair: pair[1] / pair[0].share)
    told = "; ".join(
        f"{one.modality} gone from {one.share:.0%} of the videos: NDCG@10 {-relative:+.1%}".replace("-", "−")
        + f", their share of the first ten places from {one.listed_before:.0%} to {one.listed_after:.0%}"
        for one, relative in each
    )
    return judged(
        check,
        title,
        loss <= bounds.lost * worst.share,
        plain(loss),
        f"at most {bounds.lost * worst.share:.2f}, the share of the videos",
        bounds.lost * worst.share,
        text=f"{told}.",
        mend=f"The model leans on {worst.modality}. Train with videos that lack it, raise "
        "training.alignment_weight so that the other modalities stand in for it, or leave it out of model.modalities.",
    )


def judge_actions(
    exam: ActionExam | None, weight: float, bounds: Thresholds, *, seed: int = 0
) -> tuple[Finding, ...]:
    """Whether predicted probabilities of each action are what happens."""
    check, title = "calibration", "Predicted actions keep their promise"
    if not weight:
        return (skipped(check, title, "Not trained for (training.action_weight = 0)."),)
    if exam is None or not exam.actions:
        return (skipped(check, title, "No action happened often enough in the test period."),)
    findings = []
    for action in exam.actions:
        score = action.scores[AS_IT_IS]
        rate = action.positives / exam.exposures
        chance = chance_error(score.reliability, seed=seed)
        tolerated = min(bounds.calibration, bounds.calibration_share * min(rate, 1 - rate))
        limit = max(tolerated, chance)
        error = score.reliability.error
        findings.append(
            judged(
                f"{check}-{action.action}",
                f"{title}: {action.action}",
                error <= limit,
                plain(error),
                f"at most {limit:.3f}",
                limit,
                text=f"Calibration error {error:.3f} for what happens in {rate:.1%} of {exam.exposures:,} exposures "
                f"(chance alone leaves up to {chance:.3f}); AUC {number(score.auc.value)}.",
                mend="Probabilities are fitted to the validation period: make split.validation larger, train again "
                "on newer behaviour, or raise training.action_weight.",
            )
        )
    return tuple(findings)


def chance_error(bins: Reliability, *, draws: int = _DRAWS, seed: int = 0) -> float:
    """The calibration error that perfect probabilities exceed once in 20 times, for exposures like these."""
    probability_K = np.clip(bins.predicted_K, 0, 1)
    happened_SK = np.random.default_rng(seed).binomial(bins.count_K, probability_K, (draws, len(bins.count_K)))
    gap_SK = np.abs(happened_SK / bins.count_K - probability_K)
    error_S = (gap_SK * bins.count_K).sum(axis=1) / bins.count_K.sum()
    return float(np.quantile(error_S, 0.95))


def judge_popularity(beyond: BeyondAccuracy, bounds: Thresholds) -> Finding:
    """Whether recommendations lie further up in popularity than what viewers go on to like."""
    check, title = "popularity", "Popular videos are not pushed"
    (lists,) = beyond.recommenders
    if lists.popularity is None or beyond.liked_popularity is None:
        return skipped(check, title, "Nothing was recommended.")
    excess = lists.popularity.value - beyond.liked_popularity.value
    return judged(
        check,
        title,
        excess <= bounds.popularity,
        plain(excess),
        f"at most {bounds.popularity:.2f}",
        bounds.popularity,
        text=f"The first ten places lie at {lists.popularity.value:.2f} of the catalogue by popularity, what viewers "
        f"went on to like at {beyond.liked_popularity.value:.2f}; {lists.coverage:.0%} of the candidates are "
        f"recommended to somebody, Gini {lists.gini:.2f}.",
        mend="Set model.trends = false, raise model.id_dropout so that ids count less, or spread the feed with "
        "feed.diversity and feed.freshness_weight.",
    )
