"""Benchmarks: `make bench`. A figure is the median of several runs; both sides of a ratio run in turns in the same process."""
