"""What the metrics of a run are called in the store: in groups, by which MLflow's pages show them together."""

from __future__ import annotations

from collections.abc import Mapping

#: How names begin, or are: in this code and in the stores of earlier versions, and in the store. A run's page sorts the
#: groups by name, `_` before letters: so those that are curves come first.
_GROUPS = {
    "best_val_": "val/best_",
    "val_": "_val/",
    "test_": "test/",
    "bicubic_": "bicubic/",
    "evaluate_": "evaluate/",
    "inference_seconds/": "time/inference_seconds ",
}
_NAMES = {
    "loss": "_train/loss",
    "adversarial_loss": "_train/adversarial_loss",
    "discriminator_loss": "_train/discriminator_loss",
    "discriminator_accuracy": "_train/discriminator_accuracy",
    "lr": "_train/lr",
    "gain_db": "test/gain_db",
    "gain_champion_db": "test/gain_champion_db",
    "training_seconds": "time/training_seconds",
}


def stored(values: Mapping[str, float]) -> dict[str, float]:
    """Name metrics as the store has them.

    Example:
        >>> stored({"val_psnr": 41.0, "loss": 0.1, "test_mae": 2.0, "system/cpu": 3.0})
        {'_val/psnr': 41.0, '_train/loss': 0.1, 'test/mae': 2.0, 'system/cpu': 3.0}
    """
    return {_renamed(name, _NAMES, _GROUPS): value for name, value in values.items()}


def places(name: str) -> list[str]:
    """Give what the store may have a metric as: the names of earlier versions first, the one of today last.

    Example:
        >>> places("val_psnr"), places("objective/loss")
        (['val_psnr', 'val/psnr', '_val/psnr'], ['objective/loss'])
    """
    today = _renamed(name, _NAMES, _GROUPS)
    return list(dict.fromkeys((name, today.removeprefix("_"), today)))


def known(values: Mapping[str, float]) -> dict[str, float]:
    """Name metrics of the store as this code does; an earlier version's are called so already.

    Example:
        >>> sorted(known({"val/best_psnr": 43.0, "val_ssim": 0.9, "time/inference_seconds image 96": 0.2}))
        ['best_val_psnr', 'inference_seconds/image 96', 'val_ssim']
    """
    names = {each: name for name, place in _NAMES.items() for each in (place, place.removeprefix("_"))}
    groups = {each: name for name, place in _GROUPS.items() for each in (place, place.removeprefix("_"))}
    renamed = {name: _renamed(name, names, groups) for name in values}
    # A run that an earlier version began has a figure under several names; the latest one counts.
    earlier_first = sorted(values, key=lambda name: places(renamed[name]).index(name))
    return {renamed[name]: values[name] for name in earlier_first}


def _renamed(name: str, names: Mapping[str, str], groups: Mapping[str, str]) -> str:
    if name in names:
        return names[name]
    for begin, other in groups.items():
        if name.startswith(begin):
            return other + name.removeprefix(begin)
    return name
