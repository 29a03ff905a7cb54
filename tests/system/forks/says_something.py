"""A module that says something below Python when it is imported, as TensorFlow does."""

import os

os.write(2, b"operations are on\n")
