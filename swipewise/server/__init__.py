"""The HTTP API."""

from swipewise.server.app import create_app as create_app
