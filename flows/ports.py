"""Whose a port is: what answers there may be another clone's server, in which nothing of ours may be deployed."""

import socket
from contextlib import suppress

import psutil

from finescale.errors import FinescaleError
from flows.address import HOST
from flows.server import Server


def claim(server: Server, port: int) -> None:
    """Raise unless a port is free for a server, or its own already."""
    running = server.process()
    if running is None and _taken(port):
        raise FinescaleError(
            f"port {port} must be free for the {server.name}: another program answers there, another clone's `make up` "
            f"perhaps; end it or choose other ports: FINESCALE_PORT={port + 111} make up"
        )
    if running is not None and str(port) not in running.cmdline():
        raise FinescaleError(
            f"the {server.name} is up once: it runs on another port than {port}; `make down` ends it, then "
            f"FINESCALE_PORT={port} make up"
        )


def serves(server: Server, port: int) -> bool:
    """Whether it is this server, or a process that it started, that listens on a port."""
    with suppress(psutil.Error):
        running = server.process()
        family = [running, *running.children(recursive=True)] if running else []
        sockets = [found for process in family for found in process.net_connections("tcp")]
        return any(s.status == psutil.CONN_LISTEN and s.laddr.port == port for s in sockets)
    return False


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
