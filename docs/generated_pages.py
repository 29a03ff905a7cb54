"""Pages that are made and not written: the configuration with its comments, and pages of the project's root folder.

MkDocs calls `on_files` (mkdocs.yml, `hooks`). The comments of conf/ and sweeps/ are the source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


def pages() -> dict[str, str]:
    """Give the Markdown of each made page, by its path in docs/."""
    conf = ROOT / "conf"
    presets = ("experiment", "debug")
    groups = [path for path in sorted(conf.glob("*/*.yaml")) if path.parent.name not in presets]
    recipes = [path for name in presets for path in sorted((conf / name).glob("*.yaml"))]
    recipes += sorted((ROOT / "sweeps").glob("*.yaml"))
    verbs = [conf / "base.yaml", *(path for path in sorted(conf.glob("*.yaml")) if path.stem != "base")]
    return {
        "reference/verbs.md": _page(
            "Configuration: keys of the verbs",
            "Every verb takes the keys of `base` and its own. After `=` stands the default; `???` must be given.",
            {path: "base: what every verb shares" if path.stem == "base" else f"`srexp {path.stem}`" for path in verbs},
        ),
        "reference/groups.md": _page(
            "Configuration: choices of the groups",
            "`GROUP=NAME` chooses; `GROUP.KEY=VALUE` changes a key of the choice. What stands here is the default.",
            {path: f"`{path.parent.name}={path.stem}`" for path in groups},
        ),
        "reference/presets.md": _page(
            "Configuration: presets and recipes of searches",
            "`+experiment=NAME` and `+debug=NAME` change several keys; `search +sweeps=NAME` has a space to search.",
            {path: f"`+{path.parent.name}={path.stem}`" for path in recipes},
        ),
        "notebook.md": notebook(ROOT / "docs" / "notebook.ipynb"),
        "promises.md": _moved("SECURITY").replace("# Security", "# Security: the promises", 1),
        "contributing.md": _moved("CONTRIBUTING"),
        "changelog.md": _moved("CHANGELOG"),
    }


def on_files(files: Any, config: Any) -> Any:
    """Add the made pages to those that were found."""
    from mkdocs.structure.files import File

    for path, content in pages().items():
        files.append(File.generated(config, path, content=content))
    return files


def described(path: Path) -> str:
    """Turn the comments at the top of a YAML file into Markdown: sentences, and commands in a block."""
    text = ""
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if line.startswith("#   "):
            text = text.removesuffix("```\n") if text.endswith("```\n") else f"{text}\n```sh\n"
            text += f"{line[1:].strip()}\n```\n"
        elif "@package" not in line:
            text += f"\n{_plain(line[1:].strip())}"
    return text.strip()


def keys(path: Path) -> Iterator[tuple[str, str, str]]:
    """Give each key of a YAML file with its value and its comment, those of nested mappings with dots."""
    text = path.read_text()
    lines = text.splitlines()

    def comment(line: int) -> str:
        beside = re.search(r"\s#\s*(.*)", lines[line])
        above = lines[line - 1].strip() if line else ""
        return beside[1] if beside else above.removeprefix("#").strip() if above.startswith("#") else ""

    def walk(node: yaml.Node, within: str) -> Iterator[tuple[str, str, str]]:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            name = f"{within}{key.value}"
            if name == "defaults":
                for each in value.value:
                    for group, choice in each.value if isinstance(each, yaml.MappingNode) else ():
                        chosen = re.sub(r"^override\s+/?|@.*", "", group.value)
                        yield chosen, choice.value, comment(group.start_mark.line)
            elif isinstance(value, yaml.MappingNode) and not value.flow_style:
                yield from walk(value, f"{name}.")
            else:
                shown = text[value.start_mark.index : value.end_mark.index].strip()
                yield name, "a text" if "\n" in shown else shown, comment(key.start_mark.line)

    root = yaml.compose(text)
    if root is not None:
        yield from walk(root, "")


def notebook(path: Path) -> str:
    """Show an executed notebook: its texts, its code, and what came out, pictures within the page."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        shown = [each.get("data", {"text/plain": each.get("text", "")}) for each in cell.get("outputs", ())]
        said = "".join("".join(each.get("text/plain", "")) for each in shown if "image/png" not in each)
        parts += [f"```text\n{re.sub(chr(27) + r'.*?m', '', said).rstrip()}\n```"] if said else []
        drawn = ["".join(each["image/png"]).strip() for each in shown if "image/png" in each]
        parts += [f"![What the lines above draw](data:image/png;base64,{png})" for png in drawn]
    return "\n\n".join(parts) + "\n"


def _page(title: str, opening: str, headings: dict[Path, str]) -> str:
    """Put a page together: for each file a heading, what it says of itself, and its keys as they are typed."""
    parts = [f"# {title}\n\n{opening} Made from the comments of the files.\n"]
    for path, heading in headings.items():
        whole = path.parent.name in ("conf", "sweeps") or "@package" in path.read_text()
        within = "" if whole else f"{path.parent.name}."
        terms = [f"`{within}{key}={value}`\n:   {_plain(said)}\n" for key, value, said in keys(path)]
        parts.append("\n".join([f"## {heading}\n\n{described(path)}\n", *terms]))
    return "\n".join(parts)


def _moved(name: str) -> str:
    """Give a page of the root folder, with links that lead from docs/."""
    return (ROOT / f"{name}.md").read_text().replace("](docs/", "](")


def _plain(text: str) -> str:
    """Keep Markdown out of a comment."""
    return re.sub(r"([*_<\[\]])", r"\\\1", text)
