"""The measurements of an audit on numbers that can be checked by hand, and its judgements at their thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from swipewise.evaluation.actions import ActionExam, ActionScore, MeasuredAction
from swipewise.evaluation.audit_alignment import Alignment, alignment
from swipewise.evaluation.audit_attention import AttentionSpread, Family, SegmentWeights, attention_by_segment
from swipewise.evaluation.audit_findings import Finding, Thresholds, Verdict, plain
from swipewise.evaluation.audit_judgement import (
    chance_error,
    judge_actions,
    judge_alignment,
    judge_attention,
    judge_lost,
    judge_order,
    judge_popularity,
    judge_profiles,
    judge_segments,
)
from swipewise.evaluation.audit_ranking import (
    AS_IT_IS,
    PERMUTED,
    SHUFFLED,
    Lost,
    RankingEffects,
)
from swipewise.evaluation.beyond import Beyond, BeyondAccuracy
from swipewise.evaluation.classify import Reliability
from swipewise.evaluation.comparison import compare
from swipewise.evaluation.protocol import Measured, Metric
from swipewise.evaluation.segments import Segment
from tests.training.hand_made import dataset_of

BOUNDS = Thresholds()


def test_modalities_that_point_the_same_way_find_each_other() -> None:
    rng = np.random.default_rng(0)
    own_KD = rng.standard_normal((40, 8))
    same = alignment(own_KD, 3 * own_KD, ("visual", "text"))
    assert (same.first, same.second, same.videos) == ("visual", "text", 40)
    assert (same.same, same.rank, same.found) == pytest.approx((1.0, 0.0, 1.0))
    assert abs(same.different) < 0.1
    stranger = alignment(own_KD, rng.standard_normal((40, 8)))
    assert stranger.rank == pytest.approx(0.5, abs=0.1)
    assert alignment(own_KD, -own_KD).rank == 1.0


def test_vectors_that_are_all_alike_are_found_by_chance() -> None:
    assert alignment(np.ones((5, 2)), np.ones((5, 2))).rank == 0.5


def spread(weights_UM: list[list[float]], *, deviation: float = 0.5, variation: float = 0.1) -> AttentionSpread:
    weights = np.array(weights_UM)
    return AttentionSpread(
        modalities=("visual", "id"),
        viewers_U=np.arange(len(weights)),
        weights_UM=weights,
        weights_VM=np.array([[0.2, 0.8]] * 12 + [[0.6, 0.4]] * 12),
        entropy=0.9,
        deviation=deviation,
        variation=variation,
    )


def verdicts(findings: tuple[Finding, ...]) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in findings}


def test_the_favourite_is_the_modality_that_is_largest_for_most() -> None:
    assert spread([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8]]).favourite == ("id", 2 / 3, pytest.approx(0.7))


@pytest.mark.parametrize(
    ("found", "warns"),
    [
        (spread([[0.6, 0.4], [0.4, 0.6]]), set()),
        (spread([[0.6, 0.4], [0.4, 0.6]], deviation=0.09), {"attention-uniform"}),
        (spread([[0.6, 0.4], [0.4, 0.6]], variation=0.009), {"attention-viewers"}),
        (spread([[0.1, 0.9], [0.2, 0.8]]), {"attention-single"}),
        (spread([[0.45, 0.55], [0.45, 0.55]]), set()),  # always the same, but far from alone
    ],
)
def test_attention_is_judged(found: AttentionSpread, warns: set[str]) -> None:
    judged = verdicts(judge_attention(found, (), BOUNDS))
    assert {check for check, verdict in judged.items() if verdict == Verdict.WARN} == warns


def test_attention_that_was_left_out_is_not_judged() -> None:
    assert set(verdicts(judge_attention(spread([[0.5, 0.5]]), ("attention",), BOUNDS)).values()) == {Verdict.SKIP}
    assert set(verdicts(judge_attention(None, (), BOUNDS)).values()) == {Verdict.SKIP}


def test_weights_are_told_by_activity_profile_and_category() -> None:
    # Ten viewers with one interaction each, ten with six; the second ten have a profile.
    rows = [(u, 0, u, True) for u in range(10)]
    rows += [(u, 0, at, True) for u in range(10, 20) for at in range(6)]
    dataset = replace(
        dataset_of(rows, viewers=20, uploaded=[0] * 24),
        profile_UP=np.array([[0]] * 10 + [[1]] * 10),
        profile_values=("age=18-24",),
        attributes_VA=np.array([[1]] * 12 + [[2]] * 12),
        attribute_values=("tags=cats", "tags=dogs"),
    )
    lines = attention_by_segment(spread([[0.6, 0.4]] * 10 + [[0.2, 0.8]] * 10), dataset)
    found = {(line.family, line.name): line for line in lines}
    assert set(found) == {
        (Family.ACTIVITY, "cold viewers"),
        (Family.ACTIVITY, "light viewers"),
        (Family.PROFILE, "age=18-24"),
        (Family.CATEGORY, "tags=cats"),
        (Family.CATEGORY, "tags=dogs"),
    }
    cold = found[Family.ACTIVITY, "cold viewers"]
    assert (cold.members, cold.weights) == (10, pytest.approx({"visual": 0.6, "id": 0.4}))
    assert cold.distance == pytest.approx(0.2)  # the mean is (0.4, 0.6)
    assert found[Family.PROFILE, "age=18-24"].weights == pytest.approx({"visual": 0.2, "id": 0.8})
    assert found[Family.CATEGORY, "tags=dogs"].weights == pytest.approx({"visual": 0.6, "id": 0.4})


def test_the_farthest_segment_decides() -> None:
    def line(distance: float) -> SegmentWeights:
        return SegmentWeights(family=Family.CATEGORY, name="cats", members=10, weights={}, distance=distance)

    assert judge_segments([line(0.0), line(0.03)], (), BOUNDS).verdict == Verdict.PASS
    assert judge_segments([line(0.0), line(0.01)], (), BOUNDS).verdict == Verdict.WARN
    assert judge_segments([], (), BOUNDS).verdict == Verdict.SKIP


def effects(altered: dict[str, float], *, cold: dict[str, float] | None = None) -> RankingEffects:
    """Forty viewers who all have 0.5 as it is, and each altered one's NDCG@10 on them and on the cold ones."""

    def measured(name: str, all_viewers: float, cold_viewers: float) -> Measured:
        values = {
            Segment.ALL: {metric: np.full(40, all_viewers) for metric in Metric},
            Segment.COLD_VIEWERS: {metric: np.full(8, cold_viewers) for metric in Metric},
        }
        return Measured(name=name, values=values, best_BK=np.zeros((40, 1), np.int64))

    whole = measured(AS_IT_IS, 0.5, 0.5)
    others = [measured(name, value, (cold or altered).get(name, value)) for name, value in altered.items()]
    lost = tuple(
        Lost(modality=name.removeprefix("half without "), share=0.5, listed_before=0.5, listed_after=0.4)
        for name in altered
        if name.startswith("half")
    )
    return RankingEffects(plain=whole, comparison=compare([whole, *others], model=AS_IT_IS), lost=lost)


def test_order_passes_where_a_shuffle_costs_something_by_more_than_chance() -> None:
    assert judge_order(effects({SHUFFLED: 0.4}), (), BOUNDS).verdict == Verdict.PASS
    ignored = judge_order(effects({SHUFFLED: 0.5}), (), BOUNDS)
    assert ignored.verdict == Verdict.WARN
    assert "swipewise ablate --parts sequence,positions" in ignored.mend
    assert judge_order(effects({SHUFFLED: 0.5}), ("positions",), BOUNDS).verdict == Verdict.SKIP


def test_profiles_may_matter_to_cold_viewers_alone() -> None:
    found = judge_profiles(effects({PERMUTED: 0.5}, cold={PERMUTED: 0.3}), (), BOUNDS)
    assert found.verdict == Verdict.PASS
    assert judge_profiles(effects({PERMUTED: 0.5}), (), BOUNDS).verdict == Verdict.WARN
    assert judge_profiles(effects({SHUFFLED: 0.5}), (), BOUNDS).verdict == Verdict.SKIP
    assert judge_profiles(effects({PERMUTED: 0.5}), ("profile",), BOUNDS).verdict == Verdict.SKIP


def test_a_missing_modality_may_cost_as_much_as_the_videos_share() -> None:
    assert judge_lost(effects({"half without audio": 0.3}), BOUNDS).verdict == Verdict.PASS  # 40% for half
    leans = judge_lost(effects({"half without audio": 0.3, "half without visual": 0.2}), BOUNDS)  # 60% for half
    assert leans.verdict == Verdict.WARN
    assert "leans on visual" in leans.mend
    assert "audio gone from 50% of the videos: NDCG@10 −40.0%" in leans.text
    assert judge_lost(effects({}), BOUNDS).verdict == Verdict.SKIP


def test_alignment_is_only_judged_where_it_was_trained_for() -> None:
    found = Alignment(first="visual", second="text", videos=9, same=0.1, different=0.1, rank=0.4, found=0.0)
    untrained = judge_alignment([found], 0.0, BOUNDS)
    assert untrained.verdict == Verdict.SKIP
    assert untrained.text.startswith("Not trained for")
    assert "rank 0.40" in untrained.text
    assert judge_alignment([found], 0.1, BOUNDS).verdict == Verdict.WARN
    assert judge_alignment([replace(found, rank=0.2)], 0.1, BOUNDS).verdict == Verdict.PASS
    assert judge_alignment([], 0.1, BOUNDS).verdict == Verdict.SKIP


def action_exam(predicted: list[float], observed: list[float], count: int) -> ActionExam:
    bins = Reliability(
        predicted_K=np.array(predicted), observed_K=np.array(observed), count_K=np.full(len(predicted), count)
    )
    score = ActionScore(
        auc=plain(0.7),
        gauc=None,
        viewer_auc=None,
        threshold=None,
        f1=None,
        log_loss=plain(0.3),
        reliability=bins,
    )
    exposures = count * len(predicted)
    action = MeasuredAction(
        action="like",
        positives=round(float(np.mean(observed)) * exposures),
        mixed_viewers=1,
        base_log_loss=0.5,
        scores={AS_IT_IS: score},
        against=(),
    )
    return ActionExam(exposures=exposures, viewers=5, actions=(action,), skipped={})


def test_probabilities_are_held_to_what_happens() -> None:
    (kept,) = judge_actions(action_exam([0.1, 0.3], [0.1, 0.3], 10_000), 1.0, BOUNDS)
    assert (kept.check, kept.verdict) == ("calibration-like", Verdict.PASS)
    (broken,) = judge_actions(action_exam([0.2, 0.5], [0.1, 0.3], 10_000), 1.0, BOUNDS)
    assert broken.verdict == Verdict.WARN
    assert broken.figure is not None
    assert broken.figure.value == pytest.approx(0.15)
    # Rare actions are held to a quarter of how often they happen: 0.01 off is much where 2% do it.
    (rare,) = judge_actions(action_exam([0.03], [0.02], 100_000), 1.0, BOUNDS)
    assert rare.verdict == Verdict.WARN
    assert judge_actions(None, 1.0, BOUNDS)[0].verdict == Verdict.SKIP
    assert judge_actions(None, 0.0, BOUNDS)[0].text.startswith("Not trained for")


def test_few_exposures_leave_an_error_by_chance() -> None:
    few, many = (action_exam([0.2, 0.5], [0.2, 0.5], count) for count in (20, 2000))
    errors = [chance_error(one.actions[0].scores[AS_IT_IS].reliability) for one in (few, many)]
    assert errors[0] == pytest.approx(10 * errors[1], rel=0.3)
    (found,) = judge_actions(action_exam([0.2, 0.5], [0.28, 0.42], 20), 1.0, BOUNDS)
    assert found.verdict == Verdict.PASS


def test_popularity_may_not_lie_far_above_what_is_liked() -> None:
    def lists(popularity: float) -> BeyondAccuracy:
        one = Beyond(
            name="m",
            coverage=0.5,
            gini=0.4,
            novelty=None,
            popularity=plain(popularity),
            content_diversity=None,
            attribute_diversity=None,
        )
        return BeyondAccuracy(candidates=5, liked_popularity=plain(0.6), recommenders=(one,))

    assert judge_popularity(lists(0.69), BOUNDS).verdict == Verdict.PASS
    assert judge_popularity(lists(0.71), BOUNDS).verdict == Verdict.WARN
