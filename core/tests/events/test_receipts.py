"""A receipt can be checked by anybody, and changed by nobody."""

import base64
import json

import jwt
import pytest

from threepeat.events import receipts
from threepeat.events.receipts import ForgedReceiptError
from threepeat.tenancy.keyring import Keyring, new_line


def keyring(*lines: str) -> Keyring:
    return Keyring.read(None, "\n".join(lines))  # type: ignore[arg-type]


@pytest.fixture
def ring() -> Keyring:
    return keyring(new_line())


CLAIMS = {"jti": "e1", "erased": [{"table": "points.lot", "action": "anonymise", "rows": 3}]}


def test_the_public_key_alone_verifies(ring: Keyring):
    receipt = receipts.sign(ring, CLAIMS)
    published = json.loads(json.dumps(receipts.public_keys(ring)))
    assert receipts.verify(receipt, published) == {"iss": "threepeat", **CLAIMS}
    header = jwt.get_unverified_header(receipt)
    assert (header["alg"], header["typ"]) == ("EdDSA", "erasure-receipt+jwt")
    assert header["kid"] == published["keys"][0]["kid"]
    assert all(set(key) == {"kty", "crv", "alg", "use", "kid", "x"} for key in published["keys"])


def test_a_thumbprint_is_that_of_rfc_8037():
    """The example of its appendix A."""
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    raw = base64.urlsafe_b64decode(x + "=")
    public = receipts.Ed25519PublicKey.from_public_bytes(raw)
    assert receipts._jwk(public)["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_receipts_outlive_a_rotation_of_the_keys():
    old, new = new_line(), new_line()
    receipt = receipts.sign(keyring(old), CLAIMS)
    assert receipts.verify(receipt, receipts.public_keys(keyring(new, old)))["jti"] == "e1"
    with pytest.raises(ForgedReceiptError, match="none of these keys"):
        receipts.verify(receipt, receipts.public_keys(keyring(new)))


def test_a_changed_receipt_is_found(ring: Keyring):
    receipt = receipts.sign(ring, CLAIMS)
    head, body, signature = receipt.split(".")
    stated = json.loads(base64.urlsafe_b64decode(body + "=="))
    stated["erased"][0]["rows"] = 30
    forged = base64.urlsafe_b64encode(json.dumps(stated).encode()).rstrip(b"=").decode()
    with pytest.raises(ForgedReceiptError, match="changed"):
        receipts.verify(f"{head}.{forged}.{signature}", receipts.public_keys(ring))


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_no_other_algorithm_passes(ring: Keyring, algorithm: str):
    published = receipts.public_keys(ring)
    key = "" if algorithm == "none" else published["keys"][0]["x"]
    forged = jwt.encode(
        {"iss": "threepeat", "jti": "e1"}, key, algorithm=algorithm, headers={"kid": published["keys"][0]["kid"]}
    )
    with pytest.raises(ForgedReceiptError):
        receipts.verify(forged, published)


@pytest.mark.parametrize("receipt", ["", "x", "a.b.c", "\0", "é" * 5, "eyJhbGciOiJFZERTQSJ9.e30."])
def test_something_else_is_no_receipt(ring: Keyring, receipt: str):
    with pytest.raises(ForgedReceiptError):
        receipts.verify(receipt, receipts.public_keys(ring))


@pytest.mark.parametrize("published", [{}, {"keys": [{}]}, {"keys": 1}, {"keys": [{"kty": "OKP", "kid": "k"}]}])
def test_something_else_is_no_key_set(ring: Keyring, published: dict[str, object]):
    with pytest.raises(ForgedReceiptError):
        receipts.verify(receipts.sign(ring, CLAIMS), published)
