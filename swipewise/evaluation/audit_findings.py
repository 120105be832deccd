"""What an audit says of each thing it looked at: pass or warn, the figure, the bound, and what is likely to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swipewise.evaluation.intervals import Estimate


class Verdict(StrEnum):
    """Whether a check found what it should have; ``skip`` where there was nothing to check, and why is said."""

    PASS = "pass"
    WARN = "warn"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The bounds of an audit.

    Attributes:
        deviation: α of a video deviates from uniform by at least this share of it, on average.
        variation: Standard deviation over viewers of a modality's mean weight, at least.
        favourite_share: So many viewers may have the same largest modality, as long as
        favourite_weight: its mean weight is no more than this.
        order: NDCG@10 that is lost when histories are shuffled; the low end of its interval is above this.
        profile: The same when profiles are permuted among viewers, over all viewers or over the cold ones.
        rank: Share of the videos that are nearer to a modality of a video than its other modality, at most.
        lost: Loss of NDCG@10, as a share, over the share of the videos that lost a modality, at most.
        segment_distance: How far, at least, the weights of some segment or category are from everybody's.
        calibration: Calibration error of an action, at most, and no more than
        calibration_share: this share of how often it happens or, if that is less, does not; but always what chance
            leaves of perfect probabilities.
        popularity: How much further up in popularity recommendations may lie than what viewers like, as a share of
            the catalogue.
    """

    deviation: float = 0.10
    variation: float = 0.01
    favourite_share: float = 0.90
    favourite_weight: float = 0.60
    order: float = 0.0
    profile: float = 0.0
    rank: float = 0.25
    lost: float = 1.0
    segment_distance: float = 0.02
    calibration: float = 0.05
    calibration_share: float = 0.25
    popularity: float = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check.

    ``figure`` is what was judged (None where nothing was), ``bound`` in words what it should be, ``threshold`` the
    number in it. ``text`` says what was found, ``mend`` what is likely to help where it warns.
    """

    check: str
    title: str
    verdict: Verdict
    figure: Estimate | None
    bound: str
    threshold: float | None
    text: str
    mend: str


def plain(value: float) -> Estimate:
    """A figure without an interval."""
    return Estimate(value=value, low=float("nan"), high=float("nan"))


def judged(
    check: str,
    title: str,
    good: bool,
    figure: Estimate,
    bound: str,
    threshold: float,
    *,
    text: str,
    mend: str,
) -> Finding:
    """A finding that passes where ``good``."""
    return Finding(
        check=check,
        title=title,
        verdict=Verdict.PASS if good else Verdict.WARN,
        figure=figure,
        bound=bound,
        threshold=threshold,
        text=text,
        mend=mend,
    )


def skipped(check: str, title: str, why: str) -> Finding:
    """A check for which there was nothing to look at."""
    return Finding(
        check=check,
        title=title,
        verdict=Verdict.SKIP,
        figure=None,
        bound="",
        threshold=None,
        text=why,
        mend="",
    )
