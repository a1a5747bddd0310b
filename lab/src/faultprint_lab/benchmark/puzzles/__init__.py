"""Open questions of the 2017 baseline, each measured by changing one thing at a time (docs/science/puzzles.md)."""
