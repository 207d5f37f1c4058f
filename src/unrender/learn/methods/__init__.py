"""The systems of the papers as predictors, and the baselines of their tables."""
