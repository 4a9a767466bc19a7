"""Models that earned their place: MLflow tracking, the registered model, promotion, lineage."""
