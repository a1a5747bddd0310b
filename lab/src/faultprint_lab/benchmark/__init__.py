"""The benchmark suite: protocols × data × systems × seeds, with a row of figures for each (docs/science/protocols.md)."""
