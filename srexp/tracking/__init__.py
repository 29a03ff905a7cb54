"""What is remembered of a run, and where: MLflow runs, linked models and the registry.

`runs.tracking.Tracking` is built from the section `tracking` of the configuration and opens runs; `registry.registry`
logs, checks and registers a model. MLflow is imported when a store is opened, not before: its telemetry, hints,
progress bars and chatter are switched off by settings that it reads then. What the user's environment sets wins.
"""

import os

for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "GIT_PYTHON_REFRESH": "quiet",
}.items():
    os.environ.setdefault(_name, _value)
