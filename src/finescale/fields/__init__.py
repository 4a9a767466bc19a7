"""The only border between xarray and torch: packing, scaling, context, the operator's torch face, noise."""
