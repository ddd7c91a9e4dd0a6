import base64
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threepeat.tenancy.keyring import Keyring, SealError, is_sealed, new_line

PLACE = "activation/1/points/token"
LINES = [f"k{number}:{base64.b64encode(bytes([number]) * 32).decode()}" for number in range(3)]
OLD = Keyring.read(Path("unused"), LINES[0])
ROTATED = Keyring.read(Path("unused"), f"{LINES[1]}\n{LINES[0]}\n")


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_in_its_place(plain: str, place: str) -> None:
    sealed = OLD.seal(plain, place=place)
    assert is_sealed(sealed)
    assert OLD.unseal(sealed, place=place) == plain
    assert len(plain) < 4 or plain not in sealed


@given(st.text(max_size=20), st.text(max_size=20))
def test_it_opens_in_no_other_place(one: str, other: str) -> None:
    one, other = one.encode(errors="replace").decode(), other.encode(errors="replace").decode()
    sealed = OLD.seal("secret", place=one)
    if one != other:
        with pytest.raises(SealError, match="damaged or belongs elsewhere"):
            OLD.unseal(sealed, place=other)
        with pytest.raises(SealError, match="damaged or belongs elsewhere"):
            ROTATED.rewrap(sealed, place=other)


def test_sealing_twice_looks_different() -> None:
    assert OLD.seal("secret", place=PLACE) != OLD.seal("secret", place=PLACE)


@pytest.mark.parametrize("part", [3, 4], ids=["the wrapped key", "the body"])
def test_a_change_of_any_bit_is_noticed(part: int) -> None:
    sealed = OLD.seal("secret", place=PLACE)
    fields = sealed.split(".")
    whole = base64.urlsafe_b64decode(fields[part])
    for bit in range(len(whole) * 8):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        fields[part] = base64.urlsafe_b64encode(bytes(broken)).decode()
        with pytest.raises(SealError):
            OLD.unseal(".".join(fields), place=PLACE)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "secret",
        "sealed.1",
        "sealed.1.",
        "sealed.1.k0",
        "sealed.1.k0.a",
        "sealed.1.k0.a.b.c",
        "xsealed.1.k0.a.b",
        "sealed.1.k0..",
        "sealed.1.k0.AAAA.AAAA",
        "sealed.1.k0.A.A",
        "sealed.1.k0.键.键",
        "sealed.1.k0.=.=",
    ],
)
def test_what_is_no_sealed_value_is_a_seal_error(value: str) -> None:
    with pytest.raises(SealError):
        OLD.unseal(value, place=PLACE)
    with pytest.raises(SealError):
        OLD.rewrap(value, place=PLACE)


def test_the_parts_of_two_sealed_values_do_not_mix() -> None:
    one, other = (OLD.seal(plain, place=PLACE).split(".") for plain in ("one", "other"))
    with pytest.raises(SealError):
        OLD.unseal(".".join([*one[:4], other[4]]), place=PLACE)


def test_only_texts_that_seal_made_look_sealed() -> None:
    assert not any(map(is_sealed, ["", "sealed", "sealed.2.x", None, 7, b"sealed.1.x", ["sealed.1.x"]]))


def test_after_a_rotation_the_new_key_seals_and_both_open() -> None:
    old, new = OLD.seal("secret", place=PLACE), ROTATED.seal("secret", place=PLACE)
    assert new.startswith("sealed.1.k1.")
    assert ROTATED.unseal(old, place=PLACE) == ROTATED.unseal(new, place=PLACE) == "secret"
    with pytest.raises(SealError, match="'k1'"):
        OLD.unseal(new, place=PLACE)


def test_rewrapping_moves_to_the_new_key_and_rewrites_the_small_part_only() -> None:
    old = OLD.seal("secret" * 1000, place=PLACE)
    moved = ROTATED.rewrap(old, place=PLACE)
    assert moved.split(".")[2] == "k1"
    assert moved.split(".")[4] == old.split(".")[4]
    only_new = Keyring.read(Path("unused"), LINES[1])
    assert only_new.unseal(moved, place=PLACE) == "secret" * 1000
    with pytest.raises(SealError, match="'k0'"):
        only_new.unseal(old, place=PLACE)


def test_a_key_of_the_same_name_but_other_bytes_does_not_open() -> None:
    impostor = Keyring.read(Path("unused"), LINES[2].replace("k2", "k0"))
    with pytest.raises(SealError, match="damaged or belongs elsewhere"):
        impostor.unseal(OLD.seal("secret", place=PLACE), place=PLACE)


def test_each_purpose_and_each_key_derives_another_subkey() -> None:
    assert OLD.derive("api key") == OLD.derive("api key")
    assert len({OLD.derive("api key"), OLD.derive("member token"), OLD.derive("seal"), OLD.keys["k0"]}) == 4
    assert ROTATED.derived("api key") == [ROTATED.derive("api key"), OLD.derive("api key")]
    assert len(OLD.derive("x")) == 32


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "keys"
    made = Keyring.read(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Keyring.read(file) == made
    file.write_text(new_line() + file.read_text())
    assert list(Keyring.read(file).keys.values())[1] == next(iter(made.keys.values()))


def test_an_environment_variable_may_use_commas_and_wins_over_the_file(tmp_path: Path) -> None:
    assert list(Keyring.read(tmp_path / "keys", ",".join(LINES)).keys) == ["k0", "k1", "k2"]
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "  \n ",
        "k0",
        "k0:",
        ":" + LINES[0].partition(":")[2],
        "k0:" + base64.b64encode(b"x" * 31).decode(),
        "k0:" + base64.b64encode(b"x" * 33).decode(),
        "k0:not base64!",
        "k0:" + "*" * 44,
        LINES[0] + "\nk1:short",
    ],
)
def test_a_malformed_key_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"key|base64|padded|padding"):
        Keyring.read(Path("unused"), value)


def test_processes_that_start_at_once_read_the_same_keys(tmp_path: Path) -> None:
    start = threading.Barrier(8)
    found: list[Keyring] = []
    faults: list[BaseException] = []

    def read() -> None:
        start.wait()
        try:
            found.append(Keyring.read(tmp_path / "keys"))
        except (OSError, ValueError) as fault:
            faults.append(fault)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len({tuple(keyring.keys) for keyring in found}) == 1
