"""How fast, small and frugal `aiws-bundle` is, as ratios against pip, tar and gzip: `python -m benchmarks`."""
