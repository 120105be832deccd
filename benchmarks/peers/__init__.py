"""Outside implementations, each in a virtual environment of its own, on the same split and candidates as ours.

``exchange`` writes the split as a folder of plain tables and judges what comes back; ``environments`` installs a peer;
``trials`` says what each peer may try; ``contest`` runs one. ``folder`` and the scripts beside it run inside the
peers' environments and import nothing of swipewise.
"""
