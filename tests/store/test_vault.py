"""Sealed files: opened by their own key, name and time alone, and gone when their time is over."""

from __future__ import annotations

import math
import os
import stat
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamtrace.configuration import schema
from streamtrace.errors import EvidenceBroken
from streamtrace.store.seal import HEAD_BYTES, KEY_AT, KEY_LENGTH, expiry_of, seal, unseal
from streamtrace.store.vault import LONGEST, Swept, Vault
from tests.full_disk import no_file_beyond

KEY, OTHER = bytes(range(32)), bytes(32)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=72)
SOUND = b"what a caller said" * 20


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "evidence", KEY)


def files(vault: Vault) -> list[Path]:
    return sorted(vault.folder.iterdir())


def names(vault: Vault) -> list[str]:
    return [path.name for path in files(vault)]


def set_time(path: Path, time_s: float) -> None:
    """Say that it expires then, as a disk that damages it might."""
    with path.open("r+b") as file:
        file.seek(HEAD_BYTES - 8)
        file.write(struct.pack(">d", time_s))


def test_what_is_sealed_opens_again_and_shows_nothing() -> None:
    sealed = seal(KEY, "alert_a.clip", SOUND, LATER)
    assert unseal(KEY, "alert_a.clip", sealed) == SOUND
    assert expiry_of(sealed) == LATER
    assert b"caller" not in sealed
    assert seal(KEY, "alert_a.clip", SOUND, LATER)[HEAD_BYTES:] != sealed[HEAD_BYTES:]


def test_another_key_or_name_opens_nothing() -> None:
    sealed = seal(KEY, "alert_a.clip", SOUND, LATER)
    for key, name in ((OTHER, "alert_a.clip"), (KEY, "alert_b.clip")):
        with pytest.raises(EvidenceBroken, match="evidence_key is not the one"):
            unseal(key, name, sealed)


@pytest.mark.parametrize("at", [5, KEY_AT, KEY_AT + 20, KEY_AT + KEY_LENGTH, -1])
def test_a_changed_byte_opens_nothing_its_expiry_neither(at: int) -> None:
    sealed = bytearray(seal(KEY, "alert_a.clip", SOUND, LATER))
    sealed[at] ^= 1
    with pytest.raises(EvidenceBroken):
        unseal(KEY, "alert_a.clip", bytes(sealed))


def test_a_piece_of_a_file_is_refused() -> None:
    sealed = seal(KEY, "alert_a.clip", SOUND, LATER)
    for length in range(0, len(sealed), 7):
        with pytest.raises(EvidenceBroken):
            unseal(KEY, "alert_a.clip", sealed[:length])
    assert expiry_of(sealed[: HEAD_BYTES - 1]) is None
    assert expiry_of(b"x" * 200) is None


def test_a_file_is_its_owners_alone(vault: Vault) -> None:
    vault.put("alert_a.clip", SOUND, LATER)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (vault.folder, *files(vault))] == [
        0o700,
        0o600,
    ]


def test_it_is_given_until_it_expires(vault: Vault) -> None:
    vault.put("alert_a.clip", SOUND, LATER)
    again = Vault(vault.folder, KEY)  # as behind a restart
    assert again.get("alert_a.clip", NOW) == SOUND
    assert again.expiry("alert_a.clip", NOW) == LATER
    assert again.get("alert_a.clip", LATER) is None
    assert again.expiry("alert_a.clip", LATER) is None
    assert again.get("alert_b.clip", NOW) is None
    assert again.expiry("alert_b.clip", NOW) is None


def test_what_has_expired_is_erased_and_nothing_else(vault: Vault) -> None:
    vault.put("alert_a.clip", SOUND, NOW)
    vault.put("alert_b.clip", SOUND, LATER)
    left = seal(KEY, "alert_c.clip", SOUND, LATER)[: HEAD_BYTES - 2]
    for name, age_s in (("c", 61), ("d", 59)):  # of a killed server, and of one beside us
        part = vault.folder / f"alert_{name}.clip.part"
        part.write_bytes(left)
        os.utime(part, (NOW.timestamp() - age_s,) * 2)
    assert Vault(vault.folder, None).expire(NOW) == Swept(2)  # nobody needs a key for that
    assert names(vault) == ["alert_b.clip.sealed", "alert_d.clip.part"]
    assert vault.expire(NOW) == Swept()
    assert Vault(vault.folder / "none", None).expire(NOW) == Swept()


def test_one_bad_file_saves_no_other_and_those_of_others_are_not_touched(vault: Vault) -> None:
    for name in ("alert_a.clip", "alert_b.clip", "alert_z.clip"):
        vault.put(name, SOUND, NOW)
    vault.put("alert_c.clip", SOUND, LATER)
    set_time(vault.folder / "alert_b.clip.sealed", math.nan)
    unreadable = vault.folder / "alert_d.clip.sealed"
    unreadable.symlink_to("/proc/self/mem")  # it opens, and reading it fails
    os.mkfifo(vault.folder / "alert_e.clip.sealed")  # opening it would never end
    (vault.folder / "alert_f.clip.part").touch()
    foreign = {
        "download.iso.part": b"half of it",
        "contract.sealed": b"signed",
        "backup.tar.sealed": seal(OTHER, "backup.tar", b"of another program", NOW),
        "notes.txt": b"mine",
        "alert_g.clip.sealed": b"named as ours alone",
    }
    for name, content in foreign.items():
        (vault.folder / name).write_bytes(content)
    swept = vault.expire(NOW)
    assert swept.gone == 3
    assert [one.partition(":")[0] for one in swept.stays] == [
        "alert_d.clip.sealed",
        "alert_g.clip.sealed",
    ]
    others = ["alert_c.clip.sealed", unreadable.name, "alert_e.clip.sealed", "alert_f.clip.part"]
    assert names(vault) == sorted([*foreign, *others])
    for name, content in foreign.items():
        assert (vault.folder / name).read_bytes() == content


@pytest.mark.parametrize("time_s", [math.nan, math.inf, 1e300, -1e300, 4e10, LATER.timestamp() * 2])
def test_a_time_that_is_none_is_over(vault: Vault, time_s: float) -> None:
    vault.put("alert_a.clip", SOUND, LATER)
    [path] = files(vault)
    set_time(path, time_s)
    assert vault.expire(NOW) == Swept(1)
    assert not files(vault)


def test_no_time_that_can_be_set_is_taken_for_a_damaged_one() -> None:
    most = schema()["properties"]["evidence_retention_hours"]["maximum"]
    assert timedelta(hours=most) < LONGEST


def test_a_damaged_time_opens_nothing_and_fails_nothing(vault: Vault) -> None:
    vault.put("alert_a.clip", SOUND, LATER)
    set_time(files(vault)[0], math.inf)
    assert expiry_of(files(vault)[0].read_bytes()) is None
    assert vault.expiry("alert_a.clip", NOW) is None
    with pytest.raises(EvidenceBroken, match="damaged"):
        vault.get("alert_a.clip", NOW)


def test_what_could_not_be_erased_is_erased_when_it_can(vault: Vault) -> None:
    vault.put("alert_a.clip", SOUND, NOW)
    with no_file_beyond(8):
        swept = vault.expire(NOW)
    assert swept == Swept(0, ("alert_a.clip.sealed: File too large",))
    assert vault.expire(NOW) == Swept(1)


def test_erased_is_the_key_whatever_the_disk_keeps(vault: Vault) -> None:
    vault.put("alert_a.clip", SOUND, NOW)
    [path] = files(vault)
    os.link(path, vault.folder / "undeleted")  # what deleting leaves on a disk
    vault.expire(NOW)
    left = (vault.folder / "undeleted").read_bytes()
    assert left[KEY_AT : KEY_AT + KEY_LENGTH] == bytes(KEY_LENGTH)
    with pytest.raises(EvidenceBroken):
        unseal(KEY, "alert_a.clip", left)


def test_a_newer_one_takes_its_place_and_erases_it(vault: Vault) -> None:
    vault.put("alert_a.clip", SOUND, LATER)
    os.link(files(vault)[0], vault.folder / "undeleted")
    vault.put("alert_a.clip", b"more", LATER)
    assert vault.get("alert_a.clip", NOW) == b"more"
    with pytest.raises(EvidenceBroken):
        unseal(KEY, "alert_a.clip", (vault.folder / "undeleted").read_bytes())


def test_without_a_key_nothing_is_opened(vault: Vault) -> None:
    vault.put("alert_a.clip", SOUND, LATER)
    with pytest.raises(EvidenceBroken, match="no key"):
        Vault(vault.folder, None).get("alert_a.clip", NOW)


def test_a_name_leads_nowhere_else(vault: Vault) -> None:
    for name in ("../alert_a.clip", "alert_a/b.clip", "alert_a", "notes.clip", ""):
        with pytest.raises(AssertionError):
            vault.put(name, SOUND, LATER)
