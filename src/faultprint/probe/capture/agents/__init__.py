"""The agents that send HEP: who may send, over which transport, by which clock, and in which order."""
