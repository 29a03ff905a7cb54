"""Tests mirror `srexp/`: what has no test of its own name is named here, beside the test that covers it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted((ROOT / "srexp").rglob("*.py"))
    if path.name not in ("__init__.py", "__main__.py")
}

#: Test to the modules that it covers beside the one that it is named after.
COVERS = {
    "commands/test_promote.py": "experiment.promotion.candidate experiment.promotion.decision "
    "experiment.recorded_config",
    "config/test_compose.py": "config.sections.section config.sections.verbs",
    "data/degradation/test_degradations.py": "data.degradation.given",
    "data/dicom/test_description.py": "data.dicom.derived data.formats.dicom_writer",
    "data/formats/test_tiff.py": "data.last_file",
    "data/formats/test_tiff_tags.py": "data.formats.fitting data.formats.tiff_writer",
    "data/preparation/test_scan.py": "data.preparation.request",
    "data/sources/test_limit.py": "data.sources.source",
    "enhance/serving/test_application.py": "enhance.serving.refusals",
    "evaluation/comparison/test_quality_plots.py": "evaluation.comparison.time_plots",
    "evaluation/comparison/test_report.py": "evaluation.comparison.conclusions",
    "evaluation/comparison/test_tables.py": "evaluation.grid",
    "evaluation/search_report/test_figures.py": "evaluation.search_report.page",
    "evaluation/search_report/test_study.py": "evaluation.search_report.trials",
    "evaluation/test_score.py": "types",
    "experiment/comparison/test_runs.py": "experiment.comparison.entry",
    "experiment/resumed/test_configuration.py": "experiment.pipeline experiment.resume",
    "experiment/search/test_driver.py": "experiment.search.finalize",
    "experiment/search/test_space_check.py": "experiment.search.search_job",
    "search/keras_tuner/test_engine.py": "search.keras_tuner.distributed search.keras_tuner.oracles "
    "search.keras_tuner.remote_oracle search.keras_tuner.study",
    "search/optuna/test_engine.py": "search.optuna.storage search.optuna.study",
    "search/test_engines.py": "search.ask_and_tell search.study",
    "stories/test_batch_size.py": "experiment.batch_size",
    "stories/test_compare.py": "commands.compare experiment.comparison.report experiment.comparison.unrecorded",
    "stories/test_evaluate.py": "commands.evaluate",
    "stories/test_scales.py": "experiment.multiscale",
    "stories/test_search.py": "commands.search",
    "stories/test_train.py": "commands.train experiment.run_pictures",
    "system/test_confinement.py": "system.confined_process",
    "test_cli.py": "commands.check config.hydra_messages",
    "tracking/journal/test_lines.py": "tracking.journal.journal",
    "tracking/journal/test_operations.py": "tracking.journal.replay",
    "tracking/journal/test_sending.py": "tracking.journal.recovery",
    "tracking/registry/test_costly_keras_files.py": "tracking.registry.safe_keras_file",
    "tracking/registry/test_registry.py": "tracking.journal.upload",
    "training/courses/test_adversarial.py": "training.courses.discriminator training.courses.duel "
    "training.courses.supervised",
    "training/test_fit.py": "training.plan",
}


@cache
def named_in(source: Path) -> set[str]:
    """Modules of srexp that a file or its helper imports, names in a string as one to be patched, or runs as a verb."""
    names = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            if (helper := ROOT / f"{node.module.replace('.', '/')}.py").is_relative_to(ROOT / "tests"):
                names |= named_in(helper) if helper.is_file() else set()
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= {f"srexp.commands.{node.value}", *re.findall(r"\bsrexp(?:\.\w+)+", node.value)}
    return names & set(MODULES)


def own_test(module: str) -> Path:
    *folders, name = module.split(".")[1:]
    return ROOT / "tests" / Path(*folders, f"test_{name}.py")


def test_every_module_has_a_test_of_its_name_or_is_covered_by_a_named_one():
    covered = [f"srexp.{module}" for modules in COVERS.values() for module in modules.split()]

    assert {module for module in MODULES if not own_test(module).is_file()} <= set(covered) <= set(MODULES)
    assert len(covered) == len(set(covered))


@pytest.mark.parametrize("test", COVERS)
def test_what_a_test_covers_is_within_its_reach(test: str):
    """It imports or patches the module or runs its verb, or does so with what imports it, at most twice removed."""
    reached = named_in(ROOT / "tests" / test) | {each for each in MODULES if own_test(each) == ROOT / "tests" / test}
    for _ in range(2):
        reached |= {name for each in reached for name in named_in(MODULES[each])}

    assert {f"srexp.{module}" for module in COVERS[test].split()} <= reached
