"""Where the service answers, and the environment that tells every program so."""

import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
HOST, STATED = "127.0.0.1", os.environ.get("FINESCALE_PORT", "4200")
if not (STATED.isdecimal() and 0 < int(STATED) < 65535):
    sys.exit(
        f"error: FINESCALE_PORT must be a port below 65535, for the pages take the next one: {STATED!r}; say 4311"
    )
PORT = int(STATED)
SITE, PAGES = f"http://{HOST}:{PORT}", f"http://{HOST}:{PORT + 1}"
POOL = "finescale"
ENVIRONMENT = os.environ | {
    "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
    "PREFECT_HOME": str(HOME / ".prefect"),
    "PREFECT_API_URL": f"{SITE}/api",
    "PREFECT_SERVER_API_HOST": HOST,
    "PREFECT_SERVER_API_PORT": str(PORT),  # the pages ask this port, whatever the command line says
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "DO_NOT_TRACK": "true",
    "FINESCALE_HOME": str(HOME),
    "FINESCALE_PAGES": PAGES,
}
