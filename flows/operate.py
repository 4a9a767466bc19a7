"""`make up` and `make down`: Prefect's server, a worker and the pages, all on this machine's loopback alone.

``python -m flows.operate up`` starts what does not run and deploys prefect.yaml; ``down`` ends exactly what it started.
"""

import sys
import time
from collections.abc import Iterator
from urllib.error import URLError
from urllib.request import urlopen

from finescale.errors import FinescaleError
from flows.address import ENVIRONMENT, HOME, HOST, PAGES, POOL, PORT, SITE
from flows.deploying import PREFECT, deploy
from flows.ports import claim, serves
from flows.server import Server

UP = HOME / ".prefect" / "up"
SERVER = Server("server", (*PREFECT, "server", "start", "--host", HOST, "--port", str(PORT)), UP)
WORKER = Server("worker", (*PREFECT, "worker", "start", "--pool", POOL, "--name", POOL), UP)
SHOWN = Server(
    "pages",
    (sys.executable, "-m", "http.server", str(PORT + 1), "--bind", HOST, "--directory", "reports"),
    UP,
)


def up() -> Iterator[str]:
    """Start what does not run, deploy, and say where everything is."""
    (HOME / "reports").mkdir(exist_ok=True)
    served = ((SERVER, PORT), (SHOWN, PORT + 1))
    for server, port in served:
        claim(server, port)
    for server, _ in served:
        server.start(HOME, ENVIRONMENT)
    # A server of another clone may have taken the port meanwhile, and would answer in the place of ours.
    while not (all(serves(*one) for one in served) and answers(f"{SITE}/api/health")):
        for server, _ in served:
            server.check()
        time.sleep(0.5)
    deploy()
    WORKER.start(HOME, ENVIRONMENT)
    for server in (SERVER, SHOWN, WORKER):
        server.check()
    yield f"deployments: {SITE}/deployments"
    yield f"reports:     {PAGES}"
    yield f"logs:        {UP}"


def down() -> Iterator[str]:
    """End what `up` started, the worker first so that no run begins."""
    for server in (WORKER, SHOWN, SERVER):
        yield f"{server.name}: {'ended' if server.stop() else 'was not up'}"


def answers(url: str) -> bool:
    """Whether a server answers there."""
    try:
        with urlopen(url, timeout=5) as reply:  # noqa: S310 - our own address
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    try:
        for said in {"up": up, "down": down}[sys.argv[1]]():
            sys.stdout.write(f"{said}\n")
    except FinescaleError as error:
        sys.exit(f"error: {error}")
