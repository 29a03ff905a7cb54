"""Models on their way back: loaded without running what their files bring along, with what the store knows of them."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from srexp.errors import RequestError, SrexpError
from srexp.lazy_imports import keras
from srexp.system.files.digests import sha256
from srexp.tracking.metric_names import stored
from srexp.tracking.registry.safe_keras_file import require_plain
from srexp.tracking.runs.queries import get_run, read_rows
from srexp.tracking.runs.run import Run
from srexp.tracking.store.addresses import Found, find, require_files
from srexp.tracking.store.store import Store, download, opened, translated
from srexp.types import Network

MANIFEST = "data/manifest.csv"
#: Of a run that began from weights that were there: the images that those had seen.
SEEN_BEFORE = "data/seen_before.csv"
#: Tag of a run, and of a version, whose weights were trained elsewhere.
ADOPTED = "adopted.sha256"
#: Tag `detail` of a run and a version whose network adds what was never measured.
INVENTED = "invented"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network with what the store knows of it.

    Args:
        model: Uncompiled Keras model.
        found: Where it is.
        sha256: Digest of its file, which identifies weights and architecture.
        facts: Parameters of its training, and tags of its version: `dataset.intensity`, `protocol`, ...
    """

    model: Network
    found: Found
    sha256: str
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The same as `require_digest` has it."""
        return f"sha256:{self.sha256}"


def require_digest(called: str, got: str, wanted: str | None) -> None:
    """Refuse a model that isn't the wanted one.

    Args:
        called: What messages call it.
        got: Its digest, `sha256:...`, or why it has none.
        wanted: The digest that was asked for; None for any.

    Raises:
        RequestError: It is another one.
    """
    if wanted not in (None, got):
        raise RequestError(
            f"{called} is not the model that require_digest names, and was not loaded",
            got=got,
            expected=f"{wanted}",
            fix="find out who changed the model; or the digest that whoever made it published",
        )


def load(store: Store, uri: str | Found, *, others: Collection[str] = (), digest: str | None = None) -> Loaded:
    """Load a model from the store or from a file, uncompiled, without letting it run code of its own.

    Only what Keras itself brings is built: a file that names other classes, or carries code in a Lambda layer, is
    refused before anything of it is imported. No pickle and no SavedModel is read.

    Args:
        store: Where runs are kept; opened only for an address in it.
        uri: One of `srexp.tracking.store.addresses.ADDRESSES`, or what `find` found there.
        others: Words that the caller understands besides, for did-you-mean.
        digest: `sha256:...` that its file must have; None for any.

    Returns:
        The model and what is known of it.

    Raises:
        RequestError: There is no such model, it has another digest, or it can't be trusted to be only a network.
        SrexpError: Its files are damaged.
    """
    found = find(store, uri, others=others) if isinstance(uri, str) else uri
    folder = require_files(store, found)
    called = f"{found.uri} in {folder}" if folder else found.uri
    with TemporaryDirectory(prefix="srexp-") as scratch:
        # What is looked at is what is loaded, whoever writes to the file meanwhile.
        copy = Path(scratch, "model.keras")
        path = Path(shutil.copyfile(found.path, copy)) if found.path else _fetched(store, found, Path(scratch), called)
        require_digest(found.uri, f"sha256:{sha256(path)}", digest)
        _require_as_shipped(found, sha256(path))
        require_plain(path, called)
        return Loaded(_opened(path, called), found, sha256(path), facts(store, found))


def _require_as_shipped(found: Found, got: str) -> None:
    """Refuse a network of the package that isn't the one whose figures and limits the package tells."""
    if found.shipped and got != (expected := str(found.shipped.card()["sha256"])):
        raise SrexpError(
            f"{found.shipped.network} is not the network that came with the package, and was not loaded",
            got=f"sha256:{got}",
            expected=f"sha256:{expected}",
            fix="pip install --force-reinstall srexp; model_uri=FILE.keras takes a network of your own",
        )


def facts(store: Store, found: Found) -> dict[str, str]:
    """Say what is known of a model without loading it; nothing of a file.

    Args:
        store: Where runs are kept.
        found: The model.

    Returns:
        Parameters of its training, and tags of its version.
    """
    if found.shipped:
        return dict(found.shipped.card()["facts"])
    if not found.model_id:
        return {}
    with opened(store, f"{found.uri} can't be looked up") as client:
        known = dict(client.get_logged_model(found.model_id).params or {})
        if found.registered:
            known |= client.get_model_version(found.registered, str(found.version)).tags
    return known


def invented(store: Store, found: Found) -> bool:
    """Tell whether a model was taught to invent detail, or its training went on from one that was.

    Args:
        store: Where runs are kept.
        found: The model.
    """
    known = facts(store, found)
    tags = get_run(store, found.run_id).tags if found.run_id else {}
    return INVENTED in (detail(known), tags.get("detail"))


def detail(known: Mapping[str, str]) -> str:
    """Say of the detail that a model adds that it is invented; the empty string where nothing says so.

    Args:
        known: Tags of its version; of a model without one the parameters of its training.
    """
    opposed = known.get("training._target_", "").endswith(".adversarial.build")
    by_training = INVENTED if opposed and float(known.get("training.weight", 1)) > 0 else ""
    return known.get("detail") or by_training


def training_images(store: Store, found: Found) -> dict[str, str] | None:
    """Say which images a model was trained on and chosen by.

    Args:
        store: Where runs are kept.
        found: The model.

    Returns:
        SHA-256 of each such image to `train` or `validation`; None where nobody kept them, as of adopted weights.
    """
    if found.shipped:
        return found.shipped.seen()
    rows = read_rows(store, found.run_id, MANIFEST) if found.run_id else []
    if not found.run_id or not rows or not {"sha256", "split"} <= rows[0].keys():
        return None
    if _adopted(store, found.run_id):  # its manifest is of images that others never had
        return None
    rows += read_rows(store, found.run_id, SEEN_BEFORE)
    return {row["sha256"]: split for split in ("validation", "train") for row in rows if row["split"] == split}


def _adopted(store: Store, run_id: str) -> bool:
    """Whether a run's weights were trained elsewhere; of a deleted run nobody knows."""
    with suppress(RequestError):
        return ADOPTED in get_run(store, run_id).tags
    return False


def _opened(path: Path, called: str) -> Network:
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # of a damaged configuration Keras and h5py raise what they like
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SrexpError(
            f"{called} can't be loaded: {reason}",
            expected=f"a model that Keras {keras.version()} or an older one saved",
        ) from error
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] not in (1, 3):  # noqa: PLR2004 - (n, h, w, c)
        raise RequestError(
            f"{called} takes no images", got=f"input {shape}", expected="one input (n, h, w, c) with 1 or 3 channels"
        )
    return model


def _fetched(store: Store, found: Found, folder: Path, called: str) -> Path:
    """Bring the files of a logged model here; give the network among them."""
    with translated(store, f"the files of {found.uri} can't be read"):
        fetched = sorted(download(store, found.address, folder).rglob("*.keras"))
    networks = [file for file in fetched if file.is_file()]
    if len(networks) != 1:
        raise SrexpError(
            f"{called} is not one Keras network",
            got=[file.name for file in networks] or "no .keras file",
            expected="what srexp logs: one .keras file",
            fix="bring the files of the model back as they were logged, or choose another model_uri",
        )
    return networks[0]


def link(run: Run, model_id: str, metrics: Mapping[str, float], *, dataset: str, digest: str) -> None:
    """Show an evaluation on the page of a logged model: the run as its user, the figures with their data set.

    Args:
        run: The open run that evaluated.
        model_id: Logged model, `m-...`.
        metrics: Finite figures.
        dataset: Name of the data set, as it was logged as the run's input.
        digest: Its digest, as it was logged.
    """
    run.add(
        "link", model_id=model_id, values=stored(metrics), dataset={"dataset_name": dataset, "dataset_digest": digest}
    )
