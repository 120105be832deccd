"""Vector search behind one protocol."""

from swipewise.retrieval.choice import EXACT_ROWS as EXACT_ROWS
from swipewise.retrieval.choice import build_index as build_index
from swipewise.retrieval.choice import load_index as load_index
from swipewise.retrieval.choice import put as put
from swipewise.retrieval.index import NO_ROW as NO_ROW
from swipewise.retrieval.index import ExactIndex as ExactIndex
from swipewise.retrieval.index import Index as Index
from swipewise.retrieval.ivf import IvfIndex as IvfIndex
