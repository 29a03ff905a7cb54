"""What of a configuration decides the numbers of a run, and what only says where things are or what they are called."""

from __future__ import annotations

import copy
import hashlib
import json

from omegaconf import DictConfig

from srexp.config.allowed_targets import first
from srexp.config.compose import check
from srexp.config.sections.base import Config
from srexp.errors import RequestError

#: Sections and keys that may differ between two runs that give the same numbers.
INDIFFERENT = ("verb", "paths", "tracking", "checkpoint", "run_name", "tags", "search", "resume", "shard")
#: Keys of a data set that say where its files are; what they hold is in its fingerprint.
PLACES = ("root", "test_root", "cache", "url")
#: Keys that came later, and what all runs before them did; where a run still does so, it has the identity that it had.
LATER: dict[str, dict[str, object]] = {
    "optimizer": {"ema": None},
    "protocol": {"colour": False, "lpips": None},
    "trainer": {"start": None},
    "training": {"_target_": "srexp.training.courses.supervised.build"},
}
#: Tag of a training with its `identity`.
IDENTITY_TAG = "srexp.identity"


def identity(config: Config, fingerprint: str) -> str:
    """Say in a few letters what decides the numbers of a run: its configuration and its data.

    Args:
        config: Checked configuration.
        fingerprint: Of the data and its split.

    Returns:
        64 hexadecimal digits of the configuration, a hyphen, and the fingerprint.
    """
    return f"{digest(config)}-{fingerprint}"


def digest(config: Config) -> str:
    """Digest what of a configuration decides the numbers of a run; builders have the names that they had at first."""
    decisive = copy.deepcopy({key: value for key, value in config.resolved.items() if key not in INDIFFERENT})
    decisive["dataset"] = {key: value for key, value in decisive["dataset"].items() if key not in PLACES}
    for name, later in LATER.items():
        decisive[name] = {key: value for key, value in decisive.get(name, {}).items() if later.get(key, ...) != value}
        if not decisive[name]:  # the section itself came later
            del decisive[name]
    for section in decisive.values():
        if isinstance(section, dict) and "_target_" in section:
            section["_target_"] = first(section["_target_"])
    return hashlib.sha256(json.dumps(decisive, sort_keys=True, default=str).encode()).hexdigest()


def without_seed(composed: DictConfig, config: Config) -> str:
    """Digest what decides the numbers of a run but its seed, so that seeds of one configuration are known as such.

    Args:
        composed: What Hydra composed; what follows from the seed isn't looked at either.
        config: It, checked.

    Returns:
        The same for each seed; another one for each where the configuration has no sense with another seed.
    """
    seedless = composed.copy()
    seedless.seed = 0
    try:
        return digest(check(seedless, overrides=config.overrides))
    except RequestError:
        return digest(config)
