"""Pages that are made and not written: the configuration with its comments, cards, and pages of the root folder.

MkDocs calls `on_files` (mkdocs.yml, `hooks`). The comments of conf/ and sweeps/ are the source.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

from srexp.config.reference.keys import is_global, keys, opening
from srexp.system.kernels.choice import JOBS, SETS, measured
from srexp.zoo.catalogue import Shipped, shipped

ROOT = Path(__file__).parents[1]
# Colours of a terminal, and what makes a text there one that can be clicked.
_CODES = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\")
_VIEW = 'class="srexp-result"'  # how a notebook shows what `srexp.run` gives


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
        "reference/zoo.md": "# Networks that come with srexp: their cards\n\n"
        + "\n".join(map(card, shipped().values())),
        "reference/kernel-times.md": kernel_times(),
        "results/ratios.md": ratios(),
        "notebook.md": notebook(ROOT / "docs" / "notebook.ipynb"),
        "promises.md": _moved("SECURITY").replace("# Security", "# Security: the promises", 1),
        "formats.md": formats(),
        "contributing.md": _moved("CONTRIBUTING"),
        "changelog.md": _moved("CHANGELOG"),
    }


def kernel_times() -> str:
    """Show the measurement by which convolution kernels are chosen, with where it is from."""
    about, rows = measured()
    lines = [f"    {line}" for line in about]
    columns = [(job, known) for job in JOBS for known in SETS]
    table = [_row(["network", *map(", ".join, columns)]), _row(["---"] * (1 + len(columns)))]
    for network in dict.fromkeys(row["network"] for row in rows):
        of_network = [row for row in rows if row["network"] == network]
        told = {(row["job"], row["instructions"]): row["ratio"] for row in of_network}
        table.append(_row([network, *(told.get(column, "") for column in columns)]))
    said = "oneDNN's time by Eigen's: below 1 oneDNN is faster."
    return "\n".join(["# Convolution kernels: what was measured", "", said, "", *lines, "", *table, ""])


def ratios() -> str:
    """Show what `make bench` measured, with where it is from."""
    lines = (ROOT / "docs" / "results" / "ratios.csv").read_text(encoding="utf-8").splitlines()
    about = [line.replace("#", "   ", 1) for line in lines if line.startswith("#")]
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    heads = ["what", "beside", "ratio", "least to largest", "on the clock", "pairs"]
    table = [_row(heads), _row(["---"] * len(heads))]
    for row in rows:
        ratio, low, high, clock = (f"{float(row[name]):.2f}" for name in ("ratio", "low", "high", "clock"))
        table.append(_row([row["part"], row["peer"], ratio, f"{low} to {high}", clock, row["pairs"]]))
    said = "What srexp takes by what its peer takes, in time on the processors. [Speed](speed.md) says what it means."
    return "\n".join(["# Speed: the ratios", "", said, "", *about, "", *table, ""])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def on_files(files: Any, config: Any) -> Any:
    """Add the made pages to those that were found."""
    from mkdocs.structure.files import File

    for path, content in pages().items():
        files.append(File.generated(config, path, content=content))
    return files


def described(path: Path) -> str:
    """Turn the comments at the top of a YAML file into Markdown: sentences, and commands in a block."""
    text = ""
    for line in opening(path):
        if line.startswith("  "):
            text = text.removesuffix("```\n") if text.endswith("```\n") else f"{text}\n```sh\n"
            text += f"{line.strip()}\n```\n"
        else:
            text += f"\n{_plain(line)}"
    return text.strip()


def card(network: Shipped) -> str:
    """Show what is known of a network of the package."""
    known = network.card()
    rows = [
        f"| {score['task']}, {score['part']} | {score['images']} | {score['psnr']:.2f} | {score['bicubic_psnr']:.2f} | "
        f"{score['gain_db']:+.2f} | {' to '.join(f'{end:.2f}' for end in score['gain_ci95'] or ()) or 'one image'} |"
        for score in known["scores"]
    ]
    heads = "| scored on | images | PSNR, dB | bicubic, dB | gain, dB | 95 % interval |"
    terms = {
        "Weights": f"{known['weights']:,}, digest `sha256:{known['sha256']}`",
        "Time": f"{known['multiply_adds_per_megapixel'] / 1e9:.1f} G multiply-adds for a megapixel of the result",
        "Trained on": known["images"],
        "Licence of the images": known["licence"],
        "Source of the images": known["source"],
        "Machine": known["machine"],
        "Limits": known["limits"],
    }
    told = [f"{name}\n:   {_plain(text) if name != 'Weights' else text}\n" for name, text in terms.items()]
    head = f"## `{network.address}`\n\n{known['about']}.\n\n```sh\n{known['command']}\n```\n"
    again = [f"# {score['task']}, {score['part']}\n{score['command']}" for score in known["scores"]]
    repeated = [
        "",
        "Commands that repeat these figures, with the folder of the images for `FOLDER`:",
        "",
        "```sh",
        *again,
        "```",
    ]
    return "\n".join([head, *told, heads, "|---|---|---|---|---|---|", *rows, *repeated, ""])


def notebook(path: Path) -> str:
    """Show an executed notebook: its texts, its code, and what came out, pictures within the page."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        shown = [each.get("data", {"text/plain": each.get("text", "")}) for each in cell.get("outputs", ())]
        views = [view for each in shown if _VIEW in (view := "".join(each.get("text/html", "")))]
        spoken = [each for each in shown if "image/png" not in each and _VIEW not in "".join(each.get("text/html", ""))]
        said = "".join("".join(each.get("text/plain", "")) for each in spoken)
        parts += [f"```text\n{_CODES.sub('', said).rstrip()}\n```"] if said else []
        parts += views
        drawn = ["".join(each["image/png"]).strip() for each in shown if "image/png" in each]
        parts += [f"![What the lines above draw](data:image/png;base64,{png})" for png in drawn]
    return "\n\n".join(parts) + "\n"


def _page(title: str, beginning: str, headings: dict[Path, str]) -> str:
    """Put a page together: for each file a heading, what it says of itself, and its keys as they are typed."""
    parts = [f"# {title}\n\n{beginning} Made from the comments of the files.\n"]
    for path, heading in headings.items():
        within = "" if is_global(path) else f"{path.parent.name}."
        terms = [
            f"`{within}{key.name}={key.default}`\n:   {_plain(key.comment)}{_kind(key.type)}\n" for key in keys(path)
        ]
        parts.append("\n".join([f"## {heading}\n\n{described(path)}\n", *terms]))
    return "\n".join(parts)


def _kind(words: str) -> str:
    """Give the type of a key in italics, behind what it is for."""
    return f" *({_plain(words)})*" if words else ""


def formats() -> str:
    """Take the section of README that says what is kept of each format."""
    section = _moved("README").partition("\n## What is kept")[2].partition("\n## ")[0]
    return f"# Formats: what is kept{section}\n"


def _moved(name: str) -> str:
    """Give a page of the root folder, with links that lead from docs/."""
    return (ROOT / f"{name}.md").read_text().replace("](docs/", "](")


def _plain(text: str) -> str:
    """Keep Markdown out of a comment."""
    return re.sub(r"([*_<\[\]])", r"\\\1", text)
