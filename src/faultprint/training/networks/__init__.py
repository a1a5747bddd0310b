"""The networks that turn windows into vectors."""
