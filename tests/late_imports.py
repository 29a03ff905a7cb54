"""What commands import late, and takes the seconds. Nothing of srexp is loaded here, for faults are planted in it."""

#: Not the runtimes of other makers: to import those starts threads, which no fork outlives.
IMPORTED = (  # after srexp's own modules, which set variables that some of these read
    "hydra._internal.hydra", "keras", "keras_tuner", "matplotlib.pyplot", "mlflow.keras", "mlflow.pyfunc", "optuna",
    "plotly.graph_objects", "pyarrow.parquet", "skimage.metrics", "tensorflow", "uvicorn",
)  # fmt: skip
