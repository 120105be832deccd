"""What a server holds for as long as it runs is kept out of the garbage collector's rounds."""

from __future__ import annotations

import gc


def settle() -> None:
    """Count all that is held now as there to stay.

    Libraries, the catalogue and the model are hundreds of thousands of objects. Looking through them for garbage that
    is not there would hold up some request for a fifth of a second and more. What is let go of is freed all the same.
    """
    gc.collect()
    gc.freeze()
