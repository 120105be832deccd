from tests.feed.conftest import runs as runs
from tests.feed.conftest import workspace as workspace
from tests.stores import live_store as live_store
from tests.stores import server as server
