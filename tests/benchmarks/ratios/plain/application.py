"""A bare Hydra application over the same configuration files: composed and looked at, and nothing checked."""

from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

CHECKOUT = Path(__file__).parents[4]
OmegaConf.register_new_resolver("srexp.home", lambda: str(CHECKOUT))
for folder in ("root", "found"):
    OmegaConf.register_new_resolver(f"srexp.{folder}", lambda: str(Path.cwd()))


@hydra.main(version_base=None, config_path=str(CHECKOUT / "conf"), config_name="check")
def main(config: DictConfig) -> None:
    """Look at a key."""
    print(config.seed)


if __name__ == "__main__":
    main()
