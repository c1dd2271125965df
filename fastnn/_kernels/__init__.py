"""Kernels: loops over memory that know arrays and sizes, never a tensor or the tape."""
