"""Attributes under which a field of coarse data carries its error."""

STANDARD_ERROR = "standard_error"  # standard deviation, in the field's units
LASTING = "error_lasting"  # share of the error variance that lasts and reaches as weather does
