"""The benchmark suite: protocols × data × systems × seeds, a row of figures each (docs/protocols.md)."""
