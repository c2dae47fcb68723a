"""A bundle is used only if every byte of it is the one that was written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from streamtrace.encoder.bundle import FORMAT, LISTED_FILES, load_bundle
from streamtrace.errors import BundleError
from tests.bundles import TINY_SOURCES, default_bundle, tiny_bundle, torch_encoder

MOST_BYTES_PACKAGED = 25_000_000
MOST_PARAMETERS = 2_000_000


def rewrite(path: Path, name: str, content: bytes) -> None:
    """Replace a file and its sum, as somebody would who writes bundles by hand."""
    (path / name).write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (path / "manifest.json").write_text(json.dumps(manifest))


def edit_metadata(path: Path, **changes: Any) -> None:
    """Change keys of bundle.json."""
    metadata = json.loads((path / "bundle.json").read_text())
    rewrite(path, "bundle.json", json.dumps(metadata | changes).encode())


def test_the_packaged_bundle_is_whole_and_small() -> None:
    bundle = default_bundle()
    assert sum(file.stat().st_size for file in bundle.path.iterdir()) < MOST_BYTES_PACKAGED
    # The step holds the weights and constant tables beside them.
    assert (bundle.path / "encoder.safetensors").stat().st_size < 4 * MOST_PARAMETERS + 100_000


def test_a_bundle_says_which_model_it_is(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    bundle = load_bundle(path)
    manifest = (path / "manifest.json").read_bytes()
    assert (bundle.ref.id, bundle.ref.sha256) == ("tiny", hashlib.sha256(manifest).hexdigest())
    assert bundle.catalog.sources == TINY_SOURCES
    assert bundle.trace_model.ref == bundle.ref
    assert bundle.step_path.is_file()
    assert bundle.card_path.is_file()


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"nowhere: no such model directory: check --model"):
        load_bundle(tmp_path / "nowhere")


def test_a_directory_that_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json: No such file"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("name", LISTED_FILES)
def test_one_changed_byte_is_found_wherever_it_is(tmp_path: Path, name: str) -> None:
    path = tiny_bundle(tmp_path)
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (path / name).write_bytes(content)
    expected = json.loads((path / "manifest.json").read_text())["files"][name]
    found = hashlib.sha256(content).hexdigest()
    with pytest.raises(BundleError, match=rf"{name}: damaged.*{expected}, found {found}.*anew"):
        load_bundle(path)


@pytest.mark.parametrize("name", LISTED_FILES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    path = tiny_bundle(tmp_path)
    (path / name).unlink()
    with pytest.raises(BundleError, match=rf"{name}: No such file.*anew"):
        load_bundle(path)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "no table `files`"),
        ('{"files": {}}', r"bundle\.json, encoder\.safetensors.* not listed"),
    ],
)
def test_a_manifest_that_is_none(tmp_path: Path, manifest: str, message: str) -> None:
    path = tiny_bundle(tmp_path)
    (path / "manifest.json").write_text(manifest)
    with pytest.raises(BundleError, match=rf"manifest\.json: {message}"):
        load_bundle(path)


def test_a_manifest_cannot_reach_outside_its_directory(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"]["../other"] = "0" * 64
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="not a plain file name"):
        load_bundle(path)


def test_another_format_says_what_to_do(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    edit_metadata(path, format=FORMAT + 1)
    with pytest.raises(
        BundleError, match=rf"format {FORMAT + 1}, this version reads {FORMAT}: .*install"
    ):
        load_bundle(path)


@pytest.mark.parametrize("key", ["id", "catalog", "fusion", "policy"])
def test_metadata_without_a_key_names_it(tmp_path: Path, key: str) -> None:
    path = tiny_bundle(tmp_path)
    metadata = json.loads((path / "bundle.json").read_text())
    del metadata[key]
    rewrite(path, "bundle.json", json.dumps(metadata).encode())
    with pytest.raises(BundleError, match=key):
        load_bundle(path)


def test_heads_of_another_catalog_do_not_fit(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    catalog = json.loads((path / "bundle.json").read_text())["catalog"]
    edit_metadata(path, catalog=catalog | {"sources": catalog["sources"][:2]})
    with pytest.raises(BundleError, match=r"tiny: .*heads\.safetensors"):
        load_bundle(path)


def test_heads_that_are_no_tensors(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path)
    rewrite(path, "heads.safetensors", b"\x80\x04pickled")
    with pytest.raises(BundleError, match="anew"):
        load_bundle(path)


def test_the_shape_of_the_encoder_travels_with_its_weights() -> None:
    bundle = default_bundle()
    config = torch_encoder(bundle).config.to_dict()
    assert config.pop("features") == bundle.metadata["features"]
    assert {**config, "subsample_channels": list(config["subsample_channels"])} == (
        bundle.metadata["encoder"]
    )
