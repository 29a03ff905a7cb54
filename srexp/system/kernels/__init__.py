"""Which convolution kernels TensorFlow uses, oneDNN's or Eigen's: chosen before it is imported, from a measurement.

`measured.csv` is written by `tests/benchmarks/bench_kernels.py`.
"""
