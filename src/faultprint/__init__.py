"""Faultprint: one-shot fault identification for telecom signalling nodes."""

__version__ = "0.1.0"
