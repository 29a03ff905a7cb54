"""`data`: download or prepare a data set, then show what is in it, how it is split, and what the audit finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from srexp.commands.printing.console import counting
from srexp.commands.printing.listings import listing
from srexp.config.sections.base import Config
from srexp.data.audit.findings import messages, require_clean
from srexp.data.degradation.given import Given
from srexp.data.sources.source import SPLITS
from srexp.experiment.dataset_report import degradation_figure, split_summary, write_overview
from srexp.experiment.task import audit_data, builders, download, prepare_data
from srexp.metrics.table import counted
from srexp.system.masking.pseudonyms import where
from srexp.system.terminal import Terminal

COMPARED = 5000
LISTED = 10


def run(config: Config) -> dict[str, Any]:
    """Show a data set; nothing is trained.

    Args:
        config: Checked configuration.

    Returns:
        Counts, fingerprint and findings; the manifest and the pictures lie beside `result.json`.

    Raises:
        RequestError: The data set can't be used, or has warnings under `audit=strict`.
        SrexpError: The download failed.
    """
    parts = builders(config)
    download(parts.source)
    with counting("decoding images") as progress:
        prepared = prepare_data(config, parts, progress)
    findings = audit_data(config, parts, prepared, most=COMPARED)
    files = write_overview(config.run_dir, prepared, findings, config.dataset.name)
    if not isinstance(parts.degrade, Given):
        degradation_figure(config, prepared).savefig(config.run_dir / "degradations.png")
        files.append("degradations.png")
    result = {
        "dataset": config.dataset.name,
        "images": sum(map(len, prepared.entries.values())),
        "splits": {split: split_summary(prepared.entries[split]) for split in SPLITS},
        "patients_known": all(finding.kind != "unknown-patients" for finding in findings),
        "data_fingerprint": prepared.fingerprint,
        "attribution": parts.source.attribution,
        "skipped": [{"image": key, "reason": reason} for key, reason in prepared.skipped],
        "findings": [{**asdict(finding), "images": list(finding.images)} for finding in findings],
        "warnings": messages(findings),
        "files": files,
    }
    _show(result)
    Terminal().files("files", config.run_dir, files)
    if config.audit == "strict":
        require_clean(findings)
    return result


def _show(result: Mapping[str, Any]) -> None:
    console = Terminal()
    console.print(f"{result['dataset']}, {counted(result['images'], 'image')}")
    splits = {split: summary for split, summary in result["splits"].items() if summary["images"]}
    rows = [_cells(split, summary, patients_known=result["patients_known"]) for split, summary in splits.items()]
    headings = ("split", "images; patients", "smallest; largest", "bits", "fills its range")
    console.print(listing(console, headings, rows, whole=range(len(headings))))
    console.about("fingerprint", result["data_fingerprint"])
    if result["attribution"]:
        console.about("images by", result["attribution"])
    for skipped in result["skipped"][:LISTED]:
        console.about("skipped", f"{skipped['image']}: {skipped['reason']}")
    if len(result["skipped"]) > LISTED:
        console.about("", f"and {len(result['skipped']) - LISTED} more, see result.json")
    for finding in result["findings"]:
        colour = "yellow" if finding["severity"] == "warning" else "cyan"
        console.about(finding["severity"], finding["message"], colour)
    if place := where([*result["warnings"], *(each["image"] for each in result["skipped"])]):
        console.about("names", f"{place}; names=true shows them")
    if not result["findings"]:
        console.print("the audit found nothing")


def _cells(split: str, summary: Mapping[str, Any], *, patients_known: bool) -> list[Sequence[str]]:
    filled, bits = summary["fill"], summary["bits"]
    return [
        (split,),
        (
            counted(summary["images"], "image"),
            counted(summary["patients"], "patient") if patients_known else "unknown patients",
        ),
        [" x ".join(map(str, summary[which])) for which in ("smallest", "largest")],
        [f"{each} ({count})" if len(bits) > 1 else f"{each}" for each, count in bits.items()],
        (f"{100 * filled['median']:.0f} % ({100 * filled['least']:.0f} to {100 * filled['most']:.0f})",),
    ]
