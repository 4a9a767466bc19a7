"""Prefect's door: the only place that knows it."""

from finescale.pipeline import threads

threads.settle()  # here, because a worker loads a flow by its file, and torch after it
