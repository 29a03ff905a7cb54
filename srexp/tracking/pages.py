"""Addresses of MLflow's pages, and which columns its list of runs begins with."""

from __future__ import annotations

import json

from srexp.system.masking.redaction import mask
from srexp.tracking.store.store import Client, Store, every

#: Where `python -m srexp ui` serves unless told otherwise.
LOCAL = "http://127.0.0.1:5000"
#: What a description has for the id of its run, which isn't known before the store knows the run.
RUN_ID = "RUN_ID"
# Without it MLflow opens what it has for language models, and hides the runs behind a menu.
_KIND = "workflowType=machine_learning"
_VIEW = "srexp"
# `viewStateShareKey` to a browser; to srexp's masking, what ends in Key would be followed by a secret.
_SHARED = "viewStateShare%4Bey"
#: Name of the experiment's tag in which MLflow keeps a view that an address can name.
_VIEW_TAG = f"mlflow.sharedViewState.{_VIEW}"
_COLUMNS = (
    "metrics.`test/psnr`", "metrics.`test/gain_db`", "metrics.`val/best_psnr`", "tags.`model`", "tags.`scale`",
)  # fmt: skip


def run_page(server: str, experiment: str, run_id: str) -> str:
    """Give the address of a run.

    Args:
        server: That shows it.
        experiment: Id of its experiment.
        run_id: Its id.

    Example:
        >>> run_page(LOCAL, "1", "5f2c")
        'http://127.0.0.1:5000/#/experiments/1/runs/5f2c?workflowType=machine_learning'
    """
    return f"{server}/#/experiments/{experiment}/runs/{run_id}?{_KIND}"


def list_page(server: str, experiment: str) -> str:
    """Give the address of the runs of an experiment, whose list begins with what they scored; see `keep_view`."""
    return f"{server}/#/experiments/{experiment}/runs?{_KIND}&{_SHARED}={_VIEW}"


def home_page(server: str) -> str:
    """Give the address of all experiments."""
    return f"{server}/#/experiments?{_KIND}"


def server_of(store: Store) -> str:
    """Give the address under which a store's pages are looked at: its own, where it is a server."""
    return mask(store.uri).rstrip("/") if store.uri.startswith("http") else LOCAL


def keep_view(client: Client) -> None:
    """Let the lists of all experiments begin with PSNR, gain, model and scale, where nobody has said so yet."""
    view = json.dumps({"selectedColumns": _COLUMNS})
    for each in every(client.search_experiments):
        if each.tags.get(_VIEW_TAG) != view:
            client.set_experiment_tag(each.experiment_id, _VIEW_TAG, view)


def picture(path: str, what: str) -> str:
    """Write an artifact of a run as a picture of its description.

    Args:
        path: Of the artifact.
        what: Words for who doesn't see it.

    Example:
        >>> picture("figures/curve.png", "validation PSNR")
        '![validation PSNR](get-artifact?path=figures%2Fcurve.png&run_uuid=RUN_ID)'
    """
    return f"![{what}](get-artifact?path={path.replace('/', '%2F')}&run_uuid={RUN_ID})"
