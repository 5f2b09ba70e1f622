"""Typed configuration: what the keys are (`schema`) and how files and overrides become one (`load`)."""
