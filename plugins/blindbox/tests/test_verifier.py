"""The verifier: it confirms what a store published, and sees whatever a cheat could change."""

import ast
import importlib.util
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from threepeat_blindbox.evidence import Signer
from threepeat_blindbox.verifier.verify import L, WrongError, signed, verify

VECTORS = Path(__file__).parent / "vectors"
CASES = json.loads((VECTORS / "vectors.json").read_text(encoding="utf-8"))
PROGRAM = Path(str(files("threepeat_blindbox"))) / "verifier" / "verify.py"


@pytest.mark.parametrize("case", CASES, ids=lambda one: one["name"])
def test_what_fits_is_confirmed_and_what_was_changed_is_seen(case):
    if case["wrong"]:
        with pytest.raises(WrongError, match=case["wrong"]):
            verify(case["evidence"], case["receipts"])
    else:
        verify(case["evidence"], case["receipts"])


def test_the_vectors_are_those_that_the_store_would_write():
    spec = importlib.util.spec_from_file_location("make", VECTORS / "make.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.text() == (VECTORS / "vectors.json").read_text(encoding="utf-8")


def test_it_runs_alone_on_files(tmp_path):
    """In a folder of its own, without any package."""
    program = tmp_path / "verify.py"
    program.write_bytes(PROGRAM.read_bytes())

    def run(case, own):
        (tmp_path / "evidence.json").write_text(json.dumps(case["evidence"]))
        (tmp_path / "mine.json").write_text(json.dumps(own))
        command = [
            sys.executable,
            "-I",
            "-S",
            program,
            tmp_path / "evidence.json",
            "--receipts",
            tmp_path / "mine.json",
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={})

    fits = run(CASES[0], CASES[0]["receipts"])
    assert (fits.returncode, fits.stdout) == (0, "Everything fits: 20 draws, 6 receipts of your own.\n")
    wrong = run(CASES[3], [])
    assert wrong.returncode == 1
    assert wrong.stdout.startswith("WRONG: draw 1")
    theirs = [
        one | {"body": one["body"].replace('"series":"3"', '"series":"4"')} for one in CASES[0]["receipts"][1:]
    ]
    some = run(CASES[0], [CASES[0]["receipts"][0], *theirs])
    assert some.stdout == "Everything fits: 20 draws, 1 receipts of your own.\n", (
        "those of other series are not counted"
    )
    (tmp_path / "evidence.json").write_text("{")
    damaged = subprocess.run(
        [sys.executable, "-I", program, tmp_path / "evidence.json"], capture_output=True, text=True, check=False
    )
    assert (damaged.returncode, damaged.stderr) == (1, "")
    assert damaged.stdout.startswith("WRONG: the file ")
    assert subprocess.run([sys.executable, "-I", program], capture_output=True, check=False).returncode == 2


def test_it_imports_the_standard_library_only():
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(PROGRAM.read_text(encoding="utf-8")))
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names


@settings(max_examples=25, deadline=None)
@given(private=st.binary(min_size=32, max_size=32), text=st.text(max_size=80), bit=st.integers(0, 511))
def test_signatures_are_judged_as_the_library_judges_them(private, text, bit):
    signer = Signer(private.hex())
    right = signer.sign(text)
    assert signed(signer.public, text, right)
    assert not signed(signer.public, text + "x", right)
    raw = bytearray.fromhex(right)
    raw[bit // 8] ^= 1 << bit % 8
    assert not signed(signer.public, text, raw.hex())
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer.public)).verify(bytes(raw), text.encode())


def test_a_signature_has_one_form_only():
    signer = Signer("11" * 32)
    right = bytes.fromhex(signer.sign("a"))
    other = right[:32] + (int.from_bytes(right[32:], "little") + L).to_bytes(32, "little")
    assert not signed(signer.public, "a", other.hex())
    for public, signature in (("", right.hex()), (signer.public, "00"), ("ff" * 32, right.hex())):
        assert not signed(public, "a", signature)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_change_of_any_text_is_seen(data):
    found = json.loads(json.dumps(CASES[0]["evidence"]))
    kind = data.draw(st.sampled_from(["versions", "receipts"]))
    place = data.draw(st.integers(0, len(found[kind]) - 1))
    text = found[kind][place] if kind == "versions" else found[kind][place]["body"]
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii", exclude_characters=text[at]))
    changed = text[:at] + other + text[at + 1 :]
    if kind == "versions":
        found[kind][place] = changed
    else:
        found[kind][place]["body"] = changed
    with pytest.raises(WrongError):
        verify(found)
