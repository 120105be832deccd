"""The index finds what comparing all with all finds."""

import numpy as np
from numpy.typing import NDArray

from swipewise.ingest.near import NearIndex
from swipewise.media.fingerprint import NEAR, visual_distances

FRAMES = 4


def flipped(hash_F: NDArray[np.uint64], bits: int, rng: np.random.Generator) -> NDArray[np.uint64]:
    """The hashes with so many bits of each frame turned over."""
    masks = [sum(1 << int(bit) for bit in rng.choice(64, bits, replace=False)) for _ in hash_F]
    return hash_F ^ np.array(masks, np.uint64)


def earlier_by_comparing_all(hashes_NF: NDArray[np.uint64], row: int, below: float) -> list[int]:
    return np.flatnonzero(visual_distances(hashes_NF[row], hashes_NF[:row]) < below).tolist()


def test_all_that_differ_by_less_than_4_bits_are_found_and_nothing_beyond_the_limit() -> None:
    rng = np.random.default_rng(0)
    origins_NF = rng.integers(1, 2**64, (40, FRAMES), np.uint64)
    copies = [flipped(origins_NF[n % 40], bits, rng) for bits in (0, 1, 2, 3, 8, 20) for n in range(40)]
    hashes_NF = rng.permutation(np.concatenate([origins_NF, copies]))
    hashes_NF[::7, 0] = 0
    index = NearIndex(hashes_NF)
    pairs = 0
    for row in range(len(hashes_NF)):
        found = index.earlier(row).tolist()
        assert set(found) >= set(earlier_by_comparing_all(hashes_NF, row, 4.0))
        assert set(found) <= set(earlier_by_comparing_all(hashes_NF, row, NEAR))
        assert found == sorted(found)
        pairs += len(found)
    assert pairs > 300


def test_most_of_what_differs_by_up_to_the_limit_is_found() -> None:
    rng = np.random.default_rng(0)
    origins_NF = rng.integers(1, 2**64, (200, 8), np.uint64)
    copies_NF = np.stack([flipped(hash_F, 4, rng) for hash_F in origins_NF])
    index = NearIndex(np.concatenate([origins_NF, copies_NF]))
    assert sum(row in index.earlier(200 + row) for row in range(200)) >= 195


def test_frames_that_tell_nothing_bring_nobody_together() -> None:
    hashes_NF = np.zeros((3, 2), np.uint64)
    hashes_NF[:, 1] = [5, 5, 2**64 - 1]
    index = NearIndex(hashes_NF)
    assert [index.earlier(row).tolist() for row in range(3)] == [[], [0], []]
