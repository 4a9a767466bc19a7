"""The CF truth of the data: catalogues, variables, harmonising, and a small invented world."""
