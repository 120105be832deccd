"""Seeded damage to files: cut short, bits flipped, parts blanked, left out or exchanged, two files in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

Mutation = Callable[[bytes, bytes, np.random.Generator], bytes]


def mutate(files: Sequence[bytes], seed: int) -> tuple[str, bytes]:
    """The name of a kind of damage, and a file that has it; the same seed gives the same."""
    rng = np.random.default_rng(seed)
    names = list(MUTATIONS)
    name = names[seed % len(names)]
    data, other = (files[place] for place in rng.choice(len(files), 2, replace=False))
    return name, MUTATIONS[name](data, other, rng)


def _truncated(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(1, len(data)))]


def _bits_flipped(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    damaged = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(0, len(damaged), int(rng.integers(1, 100)))
    damaged[places] ^= np.uint8(1) << rng.integers(0, 8, len(places)).astype(np.uint8)
    return damaged.tobytes()


def _head_flipped(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    """Bits of the first 4 KiB, where most containers say what follows."""
    head, rest = data[:4096], data[4096:]
    return _bits_flipped(head, b"", rng) + rest


def _index_flipped(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    """Bits of the index of an mp4, wherever it lies; of the head of another file."""
    found = [(start, end) for start, end in _atoms(data) if data[start + 4 : start + 8] == b"moov"]
    if not found:
        return _head_flipped(data, b"", rng)
    start, end = found[0]
    return data[:start] + _bits_flipped(data[start:end], b"", rng) + data[end:]


def _blanked(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    start, length = int(rng.integers(0, len(data))), int(rng.integers(1, 1 + len(data) // 4))
    return data[:start] + bytes(min(length, len(data) - start)) + data[start + length :]


def _part_left_out(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    start, length = int(rng.integers(0, len(data))), int(rng.integers(1, 1 + len(data) // 4))
    return data[:start] + data[start + length :]


def _swapped(data: bytes, _other: bytes, rng: np.random.Generator) -> bytes:
    """Two atoms of an mp4 exchanged; of another file, two of its eighths."""
    parts = _atoms(data)
    if len(parts) < 2:
        edges = np.linspace(0, len(data), 9).astype(int).tolist()
        parts = list(pairwise(edges))
    one, two = sorted(rng.choice(len(parts), 2, replace=False).tolist())
    (a, b), (c, d) = parts[one], parts[two]
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _spliced(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(1, len(data)))] + other[int(rng.integers(0, len(other))) :]


def _atoms(data: bytes) -> list[tuple[int, int]]:
    """Where the top-level atoms of an mp4 start and end; fewer than two where it is none."""
    atoms: list[tuple[int, int]] = []
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if not 8 <= size <= len(data) - at or not data[at + 4 : at + 8].isalnum():
            break
        atoms.append((at, at + size))
        at += size
    return atoms if at == len(data) else []


MUTATIONS: dict[str, Mutation] = {
    "cut short": _truncated,
    "bits flipped": _bits_flipped,
    "bits of the head flipped": _head_flipped,
    "bits of the index flipped": _index_flipped,
    "a part blanked": _blanked,
    "a part left out": _part_left_out,
    "parts exchanged": _swapped,
    "two files in one": _spliced,
}
