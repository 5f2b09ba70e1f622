"""Fitting what is decided after training: thresholds (confidence follows with recognition)."""
