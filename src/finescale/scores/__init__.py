"""How good an ensemble is: accuracy, calibration, structure, extremes, consistency, and the scorecard."""
