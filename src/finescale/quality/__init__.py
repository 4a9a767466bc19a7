"""Gates: a Dataset becomes a profile table, the table meets its limits, each limit has a reason."""
