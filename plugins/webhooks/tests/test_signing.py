"""What is signed verifies by the published library, and nothing else does."""

import base64
import json
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from threepeat_webhooks.signing import headers, new_secret

BODY = '{"type":"order.paid","data":{"name":"茶"}}'.encode()


def signed(*secrets, timestamp=None):
    return headers("evt_1", int(time.time()) if timestamp is None else timestamp, BODY, secrets)


def test_the_published_library_verifies_it():
    secret = new_secret()
    assert Webhook(secret).verify(BODY, signed(secret)) == json.loads(BODY)


def test_both_secrets_verify_during_a_rotation_and_no_third():
    new, old, stranger = new_secret(), new_secret(), new_secret()
    made = signed(new, old)
    assert len(made["webhook-signature"].split(" ")) == 2
    for secret in (new, old):
        Webhook(secret).verify(BODY, made)
    with pytest.raises(WebhookVerificationError):
        Webhook(stranger).verify(BODY, made)


def test_the_specifications_example():
    """The worked example of the published library's own tests."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_changed_byte_is_refused():
    secret = new_secret()
    made, checked = signed(secret), Webhook(secret)
    for place in range(len(BODY)):
        changed = bytearray(BODY)
        changed[place] = ord("x") if changed[place] != ord("x") else ord("y")
        with pytest.raises((WebhookVerificationError, UnicodeDecodeError)):
            checked.verify(bytes(changed), made)
    for name, other in (("webhook-id", "evt_2"), ("webhook-timestamp", str(int(time.time()) - 1))):
        with pytest.raises(WebhookVerificationError):
            checked.verify(BODY, {**made, name: other})


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_attempt_is_no_attempt(minutes):
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, signed(secret, timestamp=int(time.time()) + minutes * 60))


def test_secrets_are_long_random_and_as_the_specification_writes_them():
    found = {new_secret() for _ in range(100)}
    assert len(found) == 100
    assert all(one.startswith("whsec_") and len(base64.b64decode(one[6:])) == 32 for one in found)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "x", base64.b64encode(b"x" * 32).decode()])
def test_what_is_no_secret_signs_nothing(secret):
    with pytest.raises(ValueError, match="no signing secret"):
        signed(secret)
