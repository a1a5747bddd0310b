"""Nodes heard over Kafka, and shared out among monitors."""
