"""`streamtrace model show|verify`: what a bundle holds, and whether it is whole."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from streamtrace.encoder.bundle import LISTED_FILES, MANIFEST_FILE, Bundle, load_bundle


def show(directory: Path | None) -> int:
    """Print the bundle's metadata as one JSON object; a damaged one raises BundleError."""
    print(json.dumps(_described(load_bundle(directory)), indent=2, ensure_ascii=False))
    return 0


def verify(directory: Path | None) -> int:
    """Print one line if every file matches the manifest; a damaged one raises BundleError."""
    bundle = load_bundle(directory)
    count = len(LISTED_FILES)
    print(f"{bundle.path}: {bundle.ref.id} is whole ({count} files, sha256 {bundle.ref.sha256})")
    return 0


def _described(bundle: Bundle) -> dict[str, object]:
    """The metadata, with the catalog folded to counts and every file's size."""
    catalog = bundle.catalog
    per_family = Counter(source.family for source in catalog.sources)
    files = [*LISTED_FILES, MANIFEST_FILE]
    rest = {
        key: value
        for key, value in bundle.metadata.items()
        if key not in {"id", "format", "catalog"}
    }
    return {
        "path": str(bundle.path),
        "id": bundle.ref.id,
        "sha256": bundle.ref.sha256,
        "format": bundle.metadata.get("format"),
        **rest,
        "sources": [source.name for source in catalog.sources],
        "sources_per_family": {family: per_family[family] for family in catalog.families},
        "files_bytes": {name: (bundle.path / name).stat().st_size for name in files},
        "model_card": str(bundle.card_path),
    }
