"""One of several processes that serve a workspace from one socket; the supervisor starts it."""

from __future__ import annotations

import logging.config
import os
import socket
import sys
from typing import Final

from swipewise.errors import SwipewiseError
from swipewise.server.app import create_app
from swipewise.server.listening import check_reach
from swipewise.server.logs import log_config
from swipewise.server.orders import Channel, Orders, Said
from swipewise.server.serving import Server
from swipewise.training.workspace_data import other_encoders
from swipewise.workspace import Workspace

_HEARTBEAT_TICKS: Final = 10
_FAILED: Final = 3


class WorkerServer(Server):
    """Serves until told to stop by a signal, or retires once the supervisor has closed its end, as when it has died.

    Args:
        orders: What the supervisor wants.
        channel: To it.

    Raises:
        SwipewiseError: The workspace cannot be served.
    """

    def __init__(self, orders: Orders, channel: Channel) -> None:
        workspace = Workspace.open(orders.workspace)
        config = workspace.config.server
        # The configuration may have changed since the socket was bound.
        with socket.socket(fileno=os.dup(orders.listener)) as listener:
            check_reach(listener, config.keys)
        app = create_app(workspace, warm=True, place=orders.place)
        engine = app.state.engine
        self._channel = channel
        self._ready = Said(
            ready=True,
            model=str(engine.note or engine.run),
            notes=tuple(other_encoders(engine.encoders, workspace)),
        )
        super().__init__(app, config, tls_cert=orders.tls_cert, tls_key=orders.tls_key, worker=orders.place.number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections, and say so."""
        await super().startup(sockets)
        self._channel.say(self._ready)

    async def on_tick(self, counter: int) -> bool:
        """Give a sign of life; look whether there still is a supervisor."""
        if self._channel.closed:
            self.retire()
        elif counter % _HEARTBEAT_TICKS == 0:
            self._channel.say(Said())
        return await super().on_tick(counter)


def main() -> None:
    """Do what the command line says, in JSON."""
    orders = Orders.of(sys.argv[1])
    # Whatever this process starts must not hold them.
    for number in (orders.listener, orders.channel):
        os.set_inheritable(number, False)
    channel = Channel(socket.socket(fileno=orders.channel))
    logging.config.dictConfig(log_config(orders.place.number))
    try:
        server = WorkerServer(orders, channel)
    except SwipewiseError as error:
        channel.say(Said(error=str(error)))
        sys.exit(_FAILED)
    with socket.socket(fileno=orders.listener) as listener:
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
