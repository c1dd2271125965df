"""Benchmarks; `python -m bench.peers` compares training steps of fastnn and other libraries."""
