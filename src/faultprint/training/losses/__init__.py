"""Losses over vectors, each in a file of its own and tested against a slow loop."""
