"""Benchmarks of fastnn; `python -m bench.peers` compares whole training steps with other libraries."""
