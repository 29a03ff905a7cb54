"""Which convolution kernels TensorFlow uses, oneDNN's or Eigen's, and what takes the place of their slow part.

The choice is made before TensorFlow is imported, from `measured.csv`, which `tests/benchmarks/bench_kernels.py` writes.
"""
