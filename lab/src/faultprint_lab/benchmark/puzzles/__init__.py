"""The puzzles that the posts left, each measured by taking one thing at a time from what they did (docs/puzzles.md)."""
