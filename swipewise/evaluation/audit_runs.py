"""Which run is looked into."""

from __future__ import annotations

from pathlib import Path

from swipewise.errors import UnknownIdError
from swipewise.training.runs import RECORD_NAME, latest_run


def chosen_run(runs_dir: Path, name: str | None) -> Path:
    """The finished run of this name, or the newest one.

    Raises:
        UnknownIdError: There is none.
    """
    if name is None:
        return latest_run(runs_dir)
    finished = sorted(path.parent.name for path in runs_dir.glob(f"*/{RECORD_NAME}"))
    if name not in finished:
        known = f"finished runs are {', '.join(finished)}" if finished else "fit one with 'swipewise train'"
        raise UnknownIdError(f"no finished run {name!r} in {runs_dir}: {known}")
    return runs_dir / name
