"""Pipelines from data to an evaluated and exported model, one folder per task."""
