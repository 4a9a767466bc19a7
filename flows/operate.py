"""`make up` and `make down`: Prefect's server, a worker and the pages, all on this machine's loopback alone.

``python -m flows.operate up`` starts what does not run and deploys prefect.yaml; ``down`` ends exactly what it started.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.error import URLError
from urllib.request import urlopen

from finescale.errors import FinescaleError
from flows.address import ENVIRONMENT, HOME, HOST, PAGES, POOL, PORT, SITE
from flows.server import Server

PREFECT = (sys.executable, "-m", "prefect")
UP = HOME / ".prefect" / "up"
SERVER = Server("server", (*PREFECT, "server", "start", "--host", HOST, "--port", str(PORT)), UP)
WORKER = Server("worker", (*PREFECT, "worker", "start", "--pool", POOL, "--name", POOL), UP)
SHOWN = Server(
    "pages",
    (sys.executable, "-m", "http.server", str(PORT + 1), "--bind", HOST, "--directory", "reports"),
    UP,
)
SETUP = (
    ("work-pool", "create", POOL, "--type", "process", "--overwrite"),
    ("concurrency-limit", "create", "train", "1"),  # trainings at a time, over all runs
    ("--no-prompt", "deploy", "--all"),
)


def up() -> Iterator[str]:
    """Start what does not run, deploy, and say where everything is."""
    (HOME / "reports").mkdir(exist_ok=True)
    for server in (SERVER, SHOWN):
        server.start(HOME, ENVIRONMENT)
    while not answers(f"{SITE}/api/health"):
        SERVER.check()
        time.sleep(0.5)
    for arguments in SETUP:
        done = subprocess.run(  # noqa: S603 - our own command
            (*PREFECT, *arguments), cwd=HOME, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = " ".join((done.stdout + done.stderr).split())[-400:]
            raise FinescaleError(
                f"prefect {' '.join(arguments)} must succeed: {said}; `make down` ends what is up"
            )
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
