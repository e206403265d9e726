"""The measurements of the README: `python -m benchmarks` prints one table. docs/benchmarks.md says how it measures."""
