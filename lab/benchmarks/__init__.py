"""Side-by-side benchmarks: `make bench`. Figures are medians of several runs; ratios come from one and the same run."""
