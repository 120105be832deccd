"""Vector search behind one protocol."""

from swipewise.retrieval.index import ExactIndex as ExactIndex
from swipewise.retrieval.index import Index as Index
