"""What is said where Hydra refuses a configuration: one message that names the key, and the nearest that exists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from omegaconf.errors import OmegaConfBaseException

from srexp.config.override_grammar import parse
from srexp.config.reference.keys import others_with
from srexp.errors import RequestError, did_you_mean

#: Launchers of multiruns that are packages of their own, and the extra that installs each.
_EXTRAS = {"joblib": "joblib", "ray": "ray", "submitit_slurm": "slurm", "submitit_local": "slurm"}
Keys = Callable[[], list[str]]


@contextmanager
def explained(keys: Keys, overrides: Sequence[str]) -> Iterator[None]:
    """Turn what Hydra says of a bad override into one message.

    Args:
        keys: Gives the keys that exist.
        overrides: What was typed.
    """
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException

    try:
        yield
    except MissingConfigException as error:
        raise _no_such_choice(error) from error
    except OverrideParseException as error:
        raise RequestError(
            "an argument is not an override",
            got=error.override,
            expected="key=value",
            fix="quote special characters: 'key=\"value\"'",
        ) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise _no_such_key(keys, overrides, error) from error
    except (KeyError, ValueError, AssertionError, RecursionError) as error:
        if said := _unsaid(overrides, error):
            raise said from error
        raise


def _unsaid(overrides: Sequence[str], error: Exception) -> RequestError | None:
    """Say what Hydra lets Python say of an override; None of an error of another kind."""
    if isinstance(error, KeyError) and any("env_copy" in each for each in overrides):
        return RequestError("hydra.job.env_copy copies what is set", got=error.args[0], fix="set the variable")
    if isinstance(error, RecursionError):
        return RequestError(
            "a configuration file chooses itself, by its defaults or by those of another",
            got=[each for each in overrides if parse(each).sign],
            expected="defaults that come to an end",
        )
    if "Unexpected type for root" in str(error):
        return RequestError(
            "an override sets a part of what is null",
            got=[each for each in overrides if "." in parse(each).key],
            expected="the whole of it, as 'hydra.sweeper.params={seed:\"1,2\"}'",
        )
    if "Config group override" in str(error):
        unnamed = [each for each in overrides if parse(each).value in ("null", "true", "false")]
        return RequestError(
            "a configuration group was given no name",
            got=unnamed or str(error),
            expected="GROUP=NAME, as in model=vdsr",
            fix="leave the override out, or delete a group with ~GROUP",
        )
    return None


def _no_such_choice(error: Any) -> RequestError:
    group, _, name = str(error.missing_cfg_file or "").rpartition("/")
    options = sorted(error.options or [])
    if not group:
        return RequestError(" ".join(str(error).partition("\nSearch path")[0].split()))
    if group == "hydra/launcher" and name in _EXTRAS:
        return RequestError(
            f"{group}={name} is not installed",
            expected=f"one of {', '.join(options)}",
            fix=f'pip install "srexp[{_EXTRAS[name]}]"',
        )
    return RequestError(
        f"{group}={name} does not exist",
        expected=f"one of {', '.join(options)}" if options else f"a file conf/{group}/NAME.yaml",
        fix=did_you_mean(name, [*options, *_EXTRAS] if group == "hydra/launcher" else options),
    )


def _no_such_key(keys: Keys, overrides: Sequence[str], error: Exception) -> RequestError:
    text = str(error) or str(error.__cause__) or "the configuration can't be read"
    if "Ambiguous value" in text:
        return RequestError(
            text.splitlines()[0], fix="add -m to run every value; quote a text with commas: 'key=\"a,b\"'"
        )
    if merged := re.search(r"Error merging override (([^=]+)=.*)", text):
        return RequestError(
            f"{merged[2]} can't take this value, which is of another shape than what it has",
            got=merged[1],
            expected="a mapping, {name:value}, in place of a mapping, and a list, [a,b], in place of a list",
            fix=f"see --cfg job for what {merged[2]} has",
        )
    named = re.search(r"Could not override '([^'@]+)|Could not find a match for '([^']+)|override '([^'@]+)'", text)
    key = next(filter(None, named.groups()), "") if named else ""
    if not key:
        return RequestError(text.splitlines()[0])
    if named and any(parse(each)[:2] == ("", key) for each in overrides):
        known = keys()
        if entry := re.search(rf"full_key: ({re.escape(key)}\.(\S+))", str(error.__cause__)):
            nearest = "" if entry[2] in known else did_you_mean(entry[1], [each for each in known if each != key])
            adding = f"where any entries may be, '+{key}={{...}}' adds them"
            return RequestError(f"{entry[1]} does not exist", expected=f"entries that {key} has", fix=nearest or adding)
        nearest = others_with(key) or did_you_mean(key, known)
        return RequestError(
            f"{key} does not exist", expected="a key or group that --cfg job shows", fix=nearest or "see --cfg job"
        )
    return RequestError(text.splitlines()[0], fix=did_you_mean(key, keys()))


@contextmanager
def writable(key: str) -> Iterator[None]:
    """Say which folder can't be written, and which key moves it."""
    try:
        yield
    except (OSError, ValueError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__  # logging wraps it
        if not isinstance(cause, OSError):
            raise
        raise RequestError(
            f"the folder of the run can't be written: {cause.strerror or cause}",
            got=cause.filename,
            expected="a folder that may be written, with names that the disk takes",
            fix=f"{key}=/tmp/run, or paths.outputs=/tmp/runs for all runs",
        ) from error
