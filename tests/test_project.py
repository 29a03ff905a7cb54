"""What the project says of itself is so: version, pins, comments, and what the wheel carries."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import srexp

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
UNPINNED = {
    "ray",  # its launcher wants a cloudpickle that is older than everyone else's
    "gp",  # PyTorch brings CUDA libraries of its own, of other versions than TensorFlow's
}
YAML_FILES = sorted([*(ROOT / "conf").rglob("*.yaml"), *(ROOT / "sweeps").rglob("*.yaml")])


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("needs a git checkout: only git knows which files belong to the project")
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())

    assert (cited["version"], cited["license"]) == (srexp.__version__, PROJECT["license"])
    assert [each["name"] for each in cited["authors"]] == [each["name"] for each in PROJECT["authors"]]
    assert f"version = {{{srexp.__version__}}}" in (ROOT / "docs" / "cite.md").read_text()


def test_the_changelog_begins_with_this_version():
    first = re.search(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert first is not None
    assert first[1] in (srexp.__version__, "Unreleased")


# Dependencies


def pins(python: str) -> dict[str, Requirement]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    environment = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    found: dict[str, Requirement] = {}
    for pin in (Requirement(line) for line in lines if line and not line.startswith("#")):
        if pin.marker is None or pin.marker.evaluate(environment):
            assert canonicalize_name(pin.name) not in found, f"{pin.name} is pinned twice for Python {python}"
            found[canonicalize_name(pin.name)] = pin
    return found


def test_pins_name_no_host():
    assert "//" not in (ROOT / "requirements.txt").read_text()


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_pins_are_exact_and_within_bounds(python: str):
    pinned = pins(python)
    wanted = [
        Requirement(line)
        for line in [
            *PROJECT["dependencies"],
            *(one for name, extra in EXTRAS.items() if name not in UNPINNED for one in extra),
        ]
    ]

    assert all(re.fullmatch(r"==[\w.+!]+", str(pin.specifier)) for pin in pinned.values())
    for want in wanted:
        if want.name == PROJECT["name"]:  # its extras
            continue
        exact = str(pinned[canonicalize_name(want.name)].specifier).removeprefix("==")
        assert want.specifier.contains(exact), f"{want} does not admit the pin {exact}"


def test_every_imported_package_is_a_dependency():
    lines = [*PROJECT["dependencies"], *(one for extra in EXTRAS if extra != "dev" for one in EXTRAS[extra])]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    trees = [ast.parse(path.read_text()) for path in (ROOT / "srexp").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    packages = {name.split(".")[0] for name in named} - sys.stdlib_module_names - {"srexp"}
    provided_by = packages_distributions()

    assert {name for name in packages if not declared & {canonicalize_name(one) for one in provided_by[name]}} == set()


@pytest.mark.parametrize("line", PROJECT["dependencies"])
def test_what_is_installed_is_within_bounds(line: str):
    want = Requirement(line)

    assert want.specifier.contains(installed_version(want.name))


def test_the_bill_of_materials_has_every_pin(tmp_path: Path):
    """What `make audit` writes beside the wheel, held against the pins and the rules of CycloneDX."""
    subprocess.run([sys.executable, ROOT / ".ci" / "sbom", tmp_path / "dist"], check=True, capture_output=True)
    [path] = (tmp_path / "dist").iterdir()
    bill = json.loads(path.read_text())
    components = bill["components"]

    assert path.name == f"srexp-{srexp.__version__}.cdx.json"
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    assert bill["metadata"]["component"]["purl"] == f"pkg:pypi/srexp@{srexp.__version__}"
    pinned = {
        (name, str(pin.specifier)[2:]) for python in ("3.11", "3.12", "3.13") for name, pin in pins(python).items()
    }
    assert pinned <= {(each["name"], each["version"]) for each in components}
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    assert len(lines) == len(components) == len({each["bom-ref"] for each in components})
    assert all(each["type"] == "library" for each in components)
    assert all(
        each["purl"] == each["bom-ref"] == f"pkg:pypi/{each['name']}@{each['version'].replace('+', '%2B')}"
        for each in components
    )


# Configuration files


def bare_keys(path: Path) -> Iterator[str]:
    """Keys with a value of their own that have no comment on their line or the line above."""
    lines = path.read_text().splitlines()

    def walk(node: yaml.Node | None) -> Iterator[str]:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                line = key.start_mark.line
                above = lines[line - 1].strip() if line else ""
                commented = re.search(r"\s#\s*\w", lines[line]) or (above.startswith("#") and "@package" not in above)
                holds_keys = isinstance(value, yaml.CollectionNode) and not value.flow_style
                if not holds_keys and not commented:
                    yield f"{path.relative_to(ROOT)}:{line + 1} {key.value}"
                yield from walk(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                yield from walk(item)

    yield from walk(yaml.compose(path.read_text()))


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_key_is_explained(path: Path):
    assert list(bare_keys(path)) == []


# Files in general


def test_nothing_names_a_place_on_one_machine():
    place = re.compile(r"\.\./sha" + r"red|(?<![\w.}~-])/(?:work|root|home|Users)/\w")
    naming = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in tracked_files()
        if path != ROOT / ".ci" / "run" and (found := place.search(path.read_text(errors="replace")))
    ]

    assert naming == []


def test_no_image_data_is_tracked():
    allowed = {ROOT / "docs" / "pictures", ROOT / "srexp" / "zoo"}  # made by the project itself
    images = {".dcm", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".nii", ".npy", ".npz", ".keras", ".h5"}

    assert [path for path in tracked_files() if path.suffix in images and not allowed & set(path.parents)] == []


# SECURITY.md


def promised() -> list[str]:
    """Tests that SECURITY.md names."""
    return re.findall(r"`(tests/[\w/]+\.py::\w+)`", (ROOT / "SECURITY.md").read_text())


def test_every_promise_has_a_test_that_exists():
    page = (ROOT / "SECURITY.md").read_text()
    rows = re.search(r"\| promise \| held by \|\n\|[-|]+\n((?:\|.*\n)+)", page)
    assert rows is not None
    assert [row for row in rows[1].splitlines() if "::" not in row] == []
    for named in promised():
        path, _, name = named.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, named
    assert len(promised()) == page.count("::")


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_configuration_and_recipes(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"srexp/{path.relative_to(ROOT)}" for path in YAML_FILES} <= names
    assert "srexp/py.typed" in names  # type checkers and editors read the annotations
    assert {"srexp/enhance/serving/page_files/index.html", "srexp/enhance/serving/page_files/page.js"} <= names
    assert not {name for name in names if name.startswith(("tests/", "mlruns/", "conf/"))}


@pytest.mark.system
def test_the_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path):
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    zipfile.ZipFile(wheel).extractall(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    environment.pop("SREXP_ROOT", None)

    done = subprocess.run(
        [sys.executable, "-m", "srexp", "check", "model=vdsr"],
        cwd=empty, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert (empty / "mlruns").is_dir()
