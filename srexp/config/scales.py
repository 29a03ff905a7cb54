"""`scale=[2,3,4]`: one network for several scales, in the words that a configuration has for it."""

from __future__ import annotations

from omegaconf import DictConfig, ListConfig

from srexp.errors import RequestError

#: Verbs that a list is for.
_TAKING = ("train", "check")


def one_scale(tree: DictConfig) -> DictConfig:
    """Read a list of scales as the first of them, at which the network is validated, and `trainer.scales`.

    So all that belongs to a task, as its name does, has one scale, and a run keeps of how it was trained all there is.

    Args:
        tree: What Hydra composed, its interpolations unresolved.

    Returns:
        The same tree, or a copy whose `scale` is no list.

    Raises:
        RequestError: The verb takes one scale only, the list is empty, or `trainer.scales` says otherwise.

    Example:
        >>> from omegaconf import OmegaConf
        >>> typed = {"verb": "train", "scale": [2, 3], "trainer": {"scales": None}, "name": "x${scale}"}
        >>> OmegaConf.to_container(one_scale(OmegaConf.create(typed)), resolve=True)
        {'verb': 'train', 'scale': 2, 'trainer': {'scales': [2, 3]}, 'name': 'x2'}
    """
    scales = tree.get("scale")
    if not isinstance(scales, ListConfig):
        return tree
    listed = list(scales)
    verb = str(tree.get("verb"))
    if verb not in _TAKING or not listed:
        raise RequestError(
            "scale is a list",
            got=f"scale={listed}",
            expected="one number" if listed else "one number or several",
            fix=f"scale={listed[0] if listed else 2}" + ("; only train takes several" if verb not in _TAKING else ""),
        )
    known = tree.trainer.get("scales")
    if known is not None and list(known) != listed:
        raise RequestError(
            "scale and trainer.scales disagree",
            got=f"scale={listed} trainer.scales={list(known)}",
            expected="one of them: scale=[2,3] means scale=2 trainer.scales=[2,3]",
            fix="leave trainer.scales out",
        )
    single = tree.copy()
    single.scale = listed[0]
    if len(listed) > 1:
        single.trainer.scales = listed
    return single
