"""RecTools' BERT4Rec; its settings are those of ``sequences``."""

from __future__ import annotations

from folder import Answer, Settings, Split, main
from rectools.models import BERT4RecModel
from sequences import sequential_answer


def answer(split: Split, settings: Settings) -> Answer:
    return sequential_answer(BERT4RecModel, split, settings)


if __name__ == "__main__":
    main(answer, library="rectools")
