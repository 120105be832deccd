"""The HTTP API."""

from swipewise.server.app import create_app as create_app
from swipewise.server.serving import Server as Server
