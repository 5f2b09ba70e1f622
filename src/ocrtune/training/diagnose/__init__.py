"""Diagnosis of a training in words: before, during and after it; what was found, its evidence, and what to do."""

from ocrtune.training.diagnose.diagnosis import Diagnosis, Remedy, ordered
from ocrtune.training.diagnose.record import FILE, Diagnostics

__all__ = ["FILE", "Diagnosis", "Diagnostics", "Remedy", "ordered"]
