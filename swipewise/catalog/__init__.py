"""The catalogue: videos and a column of vectors per encoder, in Lance."""

from swipewise.catalog.catalog import Catalog as Catalog
from swipewise.catalog.records import Rejection as Rejection
