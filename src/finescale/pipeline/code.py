"""Rooms and files behind the stages, by what stages have in common; a test compares them with what is imported."""

STORE = ("pipeline/desk.py", "pipeline/store.py")
BLOCKS = (
    "climate/calendar.py",
    "climate/provenance.py",
    "climate/splits.py",
    "climate/subset.py",
    "climate/timeline.py",
    "pipeline/stages/blocks.py",
)
CASES = "pipeline/stages/cases.py"
H = ("fields/axis.py", "pipeline/stages/coarsen.py")
ERRORS = ("bias/observation_error.py", "fields/attributes.py")  # how errors of coarse data travel
FETCH = ("climate", "grid", "pipeline/sources.py", "pipeline/stages/ingest.py")
GATE = ("quality", "climate/holes.py", "climate/units.py", "climate/variables.py", "pipeline/stages/gate.py")
CARD = ("methods/card.py", "methods/downscaler.py", "methods/kinds.py")
DETERMINISTIC = (*CARD, "methods/bcsd.py", "methods/bilinear.py", "methods/climatology.py")
LEARNED = (
    "fields",
    "prior",
    "guidance",
    "methods/effort.py",
    "methods/ensemble.py",
    "methods/gaussian.py",
    "methods/generative.py",
    "methods/regression.py",
    "methods/shelf.py",
    "methods/stream.py",
)
