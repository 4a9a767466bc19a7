"""How a prior is made to agree with an observation: one paper a file."""
