"""Losses over vectors. Each is tested against a slow loop over its definition."""
