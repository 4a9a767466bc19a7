"""What a user did that cannot work, said in one line."""


class FinescaleError(Exception):
    """A mistake that the user can mend.

    The message has three parts: the rule that was broken, the value that broke it, and what would do instead:
    ``coarse grid does not nest in the fine grid: lat step 1.5 is not a multiple of 0.4; choose a step of 1.2``.
    The doors (command line, flows, model) print it without a traceback and end with exit code 2.
    """
