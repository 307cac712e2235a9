"""Texts with labels, and pairs of texts."""
