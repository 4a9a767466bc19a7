"""The one flow: stages, the ledger that joins them, the store of artefacts, the executor that runs them."""
