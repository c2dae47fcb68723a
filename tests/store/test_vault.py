"""Sealed files: opened by their own key, name and time alone, and gone when their time is over."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamtrace.errors import EvidenceBroken
from streamtrace.store.seal import HEAD_BYTES, KEY_AT, KEY_LENGTH, expiry_of, seal, unseal
from streamtrace.store.vault import Vault

KEY, OTHER = bytes(range(32)), bytes(32)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=72)
SOUND = b"what a caller said" * 20


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "evidence", KEY)


def files(vault: Vault) -> list[Path]:
    return sorted(vault.folder.iterdir())


def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    sealed = seal(KEY, "a.clip", SOUND, LATER)
    assert unseal(KEY, "a.clip", sealed) == SOUND
    assert expiry_of(sealed) == LATER
    assert b"caller" not in sealed
    assert seal(KEY, "a.clip", SOUND, LATER)[HEAD_BYTES:] != sealed[HEAD_BYTES:]


def test_another_key_or_name_opens_nothing() -> None:
    sealed = seal(KEY, "a.clip", SOUND, LATER)
    for key, name in ((OTHER, "a.clip"), (KEY, "b.clip")):
        with pytest.raises(EvidenceBroken, match="evidence_key is not the one"):
            unseal(key, name, sealed)


@pytest.mark.parametrize("at", [5, KEY_AT, KEY_AT + 20, KEY_AT + KEY_LENGTH, -1])
def test_a_changed_byte_opens_nothing_its_expiry_neither(at: int) -> None:
    sealed = bytearray(seal(KEY, "a.clip", SOUND, LATER))
    sealed[at] ^= 1
    with pytest.raises(EvidenceBroken):
        unseal(KEY, "a.clip", bytes(sealed))


def test_a_piece_of_a_file_is_refused() -> None:
    sealed = seal(KEY, "a.clip", SOUND, LATER)
    for length in range(0, len(sealed), 7):
        with pytest.raises(EvidenceBroken):
            unseal(KEY, "a.clip", sealed[:length])
    assert expiry_of(sealed[: HEAD_BYTES - 1]) is None
    assert expiry_of(b"x" * 200) is None


def test_a_file_is_its_owners_alone(vault: Vault) -> None:
    vault.put("a.clip", SOUND, LATER)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (vault.folder, *files(vault))] == [
        0o700,
        0o600,
    ]


def test_it_is_given_until_it_expires(vault: Vault) -> None:
    vault.put("a.clip", SOUND, LATER)
    again = Vault(vault.folder, KEY)  # as behind a restart
    assert again.get("a.clip", NOW) == SOUND
    assert again.expiry("a.clip", NOW) == LATER
    assert again.get("a.clip", LATER) is None
    assert again.expiry("a.clip", LATER) is None
    assert again.get("b.clip", NOW) is None
    assert again.expiry("b.clip", NOW) is None


def test_what_has_expired_is_erased_and_nothing_else(vault: Vault) -> None:
    vault.put("a.clip", SOUND, NOW)
    vault.put("b.clip", SOUND, LATER)
    (vault.folder / "c.part").write_bytes(b"of a killed server")
    (vault.folder / "mine.txt").write_text("not ours")
    assert Vault(vault.folder, None).expire(NOW) == 2  # nobody needs a key for that
    assert [path.name for path in files(vault)] == ["b.clip.sealed", "mine.txt"]
    assert vault.expire(NOW) == 0
    assert Vault(vault.folder / "none", None).expire(NOW) == 0


def test_erased_is_the_key_whatever_the_disk_keeps(vault: Vault) -> None:
    vault.put("a.clip", SOUND, NOW)
    [path] = files(vault)
    os.link(path, vault.folder / "undeleted")  # what deleting leaves on a disk
    vault.expire(NOW)
    left = (vault.folder / "undeleted").read_bytes()
    assert left[KEY_AT : KEY_AT + KEY_LENGTH] == bytes(KEY_LENGTH)
    with pytest.raises(EvidenceBroken):
        unseal(KEY, "a.clip", left)


def test_a_newer_one_takes_its_place_and_erases_it(vault: Vault) -> None:
    vault.put("a.clip", SOUND, LATER)
    os.link(files(vault)[0], vault.folder / "undeleted")
    vault.put("a.clip", b"more", LATER)
    assert vault.get("a.clip", NOW) == b"more"
    with pytest.raises(EvidenceBroken):
        unseal(KEY, "a.clip", (vault.folder / "undeleted").read_bytes())


def test_without_a_key_nothing_is_opened(vault: Vault) -> None:
    vault.put("a.clip", SOUND, LATER)
    with pytest.raises(EvidenceBroken, match="no key"):
        Vault(vault.folder, None).get("a.clip", NOW)


def test_a_name_leads_nowhere_else(vault: Vault) -> None:
    for name in ("../a.clip", "a/b.clip", "a", ""):
        with pytest.raises(AssertionError):
            vault.put(name, SOUND, LATER)
