"""One attempt against servers that mean no good: it ends in time, reads little, follows nothing, tells apart."""

import gzip
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from threepeat_webhooks import addresses, sending
from threepeat_webhooks.sending import post

OK = b"HTTP/1.1 200 OK\r\n"


def test_old_versions_of_tls_are_not_spoken():
    trusted = sending._trust()
    assert trusted.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert trusted.maximum_version in {ssl.TLSVersion.MAXIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_3}
    assert trusted.check_hostname
    assert trusted.verify_mode is ssl.CERT_REQUIRED
    weak = ("RC4", "3DES", "NULL", "EXPORT", "MD5", "anon")
    assert [one["name"] for one in trusted.get_ciphers() if any(part in one["name"] for part in weak)] == []


@contextmanager
def speaking(answer, wrap=lambda one: one):
    """A server that reads a request and then does as it likes with the connection; yields its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve():
        while not over.is_set():
            try:
                found = listening.accept()[0]
            except OSError:
                return
            with found:
                try:
                    with wrap(found) as stream:
                        stream.settimeout(5)
                        seen = b""
                        while not seen.endswith(b"{}") and not seen.startswith(b"\x16"):
                            seen += stream.recv(65536)
                        answer(stream, over)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    over.set()
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(5)


def said(raw):
    return lambda stream, _over: stream.sendall(raw)


def drip(raw, seconds=0.02):
    """Say something a byte at a time, for ever."""

    def answer(stream, over):
        for byte in iter(lambda: raw, None):
            if over.wait(seconds):
                return
            stream.sendall(byte)

    return answer


def attempt(answer, seconds=1.0):
    with speaking(answer) as port:
        began = time.monotonic()
        found = post(f"http://127.0.0.1:{port}/", b"{}", {"webhook-id": "x"}, seconds=seconds)
        assert time.monotonic() - began < seconds + 1.0
    return found


SLOW = {
    "says nothing": lambda _stream, over: over.wait(10),
    "headers, a byte at a time": drip(b"a"),
    "headers without end": drip(b"x-a: b\r\n", 0.001),
    "continues without end": drip(b"HTTP/1.1 100 Continue\r\n\r\n", 0.001),
}


@pytest.mark.parametrize("name", SLOW)
def test_who_never_comes_to_the_point_is_left_in_time(name):
    found = attempt(SLOW[name], seconds=0.2)
    assert found.status is None
    assert found.failure in {"timeout", "answer"}


def test_an_answer_without_end_is_read_up_to_a_limit():
    sent = []

    def flood(stream, over):
        stream.sendall(OK + b"content-length: 100000000000\r\n\r\n")
        while not over.is_set():
            sent.append(stream.send(b"x" * 65536))

    found = attempt(flood, seconds=5)
    assert (found.status, found.failure) == (200, "")
    assert sum(sent) < 16 * 1024 * 1024, "no more than what lies in the sockets' own buffers"
    # A slow body after a good status is a success all the same: it has said so.
    slow = attempt(lambda stream, over: (stream.sendall(OK + b"\r\n"), over.wait(10)), seconds=0.3)
    assert (slow.status, slow.failure) == (200, "")


def test_what_goes_along_with_an_answer_counts_too():
    """Elsewhere only what it says was counted, and not what stands between its pieces."""
    sent = []

    def chatter(stream, over):
        stream.sendall(OK + b"transfer-encoding: chunked\r\n\r\n")
        while not over.is_set():
            sent.append(stream.send(b"1;" + b"x" * 60_000 + b"\r\nb\r\n"))

    found = attempt(chatter, seconds=3)
    assert (found.status, found.failure) == (200, "")
    assert sum(sent) < 16 * 1024 * 1024


def test_who_takes_an_event_drop_by_drop_is_left_in_time():
    """Elsewhere each drop gave the time anew, until the process was ended together with everybody's attempts."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def sip():
            with listening.accept()[0] as stream:
                while not over.wait(0.01) and stream.recv(65_536):
                    pass

        thread = threading.Thread(target=sip)
        thread.start()
        began = time.monotonic()
        found = post(f"http://127.0.0.1:{listening.getsockname()[1]}/", b"x" * 50_000_000, {}, seconds=0.5)
        assert time.monotonic() - began < 1.5
        assert (found.status, found.failure) == (None, "timeout")
        over.set()
        thread.join(5)


def test_a_packed_answer_is_not_unpacked():
    bomb = gzip.compress(b"\0" * 50_000_000)
    head = OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    assert attempt(said(head + bomb)).failure == ""


@pytest.mark.parametrize("place", ["http://169.254.169.254/latest/meta-data/", "/elsewhere", "file:///etc/passwd"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure(status, place):
    asked = []

    def answer(stream, _over):
        asked.append(1)
        stream.sendall(b"HTTP/1.1 %d x\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % (status, place.encode()))

    assert (attempt(answer).failure, len(asked)) == ("status", 1)


WRONG = {
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "answer"),
    "a status of words": (b"HTTP/1.1 abc OK\r\n\r\n", "answer"),
    "two lengths": (OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab", "answer"),
    "a NUL in a header": (OK + b"x: a\0b\r\n\r\n", "answer"),
    "headers of a megabyte": (OK + b"x: " + b"y" * 1_000_000, "answer"),
    "nothing": (b"", "answer"),
    "half a line": (b"HTTP/1.1 2", "answer"),
    "not found": (b"HTTP/1.1 404 no\r\ncontent-length: 0\r\n\r\n", "status"),
    "other protocols": (b"HTTP/1.1 101 x\r\nupgrade: y\r\n\r\n", "answer"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_answer_is_told_apart(name):
    raw, failure = WRONG[name]
    assert attempt(said(raw)).failure == failure


def test_nobody_there_is_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert post(f"http://127.0.0.1:{port}/", b"{}", {}).failure == "connection"
    assert post("https://shop.com/", b"{}", {}, lookup=lambda *_: []).failure == "connection"

    def nowhere(*_):
        raise socket.gaierror("unknown")

    assert post("https://shop.com/", b"{}", {}, lookup=nowhere).failure == "connection"


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        *(
            ("120", 120),
            ("0", 0),
            ("-5", 0),
            ("", 0),
            ("x", 0),
            ("1e9", 0),
            ("9" * 18, 10**18 - 1),
            ("9" * 5000, 0),
        ),
        *(("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 GMT", None), ("\u0661\u0662", 0)),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 500])
def test_retry_after_is_read_where_it_means_something(given, wait, status):
    raw = f"HTTP/1.1 {status} x\r\nretry-after: {given}\r\ncontent-length: 0\r\n\r\n".encode()
    found = attempt(said(raw))
    if status == 500:
        assert found.retry_after == 0
    elif wait is None:
        assert found.retry_after > 10**9
    else:
        assert found.retry_after == wait


def certificate(folder, name):
    """A key and a certificate that signs itself, for a name; as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize(("name", "failure"), [("shop.com", ""), ("other.com", "certificate")])
def test_the_certificate_is_that_of_the_name_though_the_number_is_called(tmp_path, monkeypatch, name, failure):
    path = certificate(tmp_path, name)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    asked = []
    server.sni_callback = lambda _socket, name, _context: asked.append(name)
    trust = ssl.create_default_context(cafile=path)
    monkeypatch.setattr(sending, "_trust", lambda: trust)
    monkeypatch.setattr(addresses, "public", lambda number: number == "127.0.0.1")
    answer = said(OK + b"content-length: 0\r\n\r\n")
    with speaking(answer, lambda one: server.wrap_socket(one, server_side=True)) as port:
        monkeypatch.setattr(addresses, "PORTS", frozenset({port}))
        found = post(f"https://shop.com:{port}/", b"{}", {}, lookup=lambda *_: ["127.0.0.1"])
    assert (found.failure, asked) == (failure, ["shop.com"])


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path, monkeypatch):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate(tmp_path, "shop.com"))
    monkeypatch.setattr(addresses, "public", lambda number: number == "127.0.0.1")
    with speaking(said(OK), lambda one: server.wrap_socket(one, server_side=True)) as port:
        monkeypatch.setattr(addresses, "PORTS", frozenset({port}))
        found = post(f"https://shop.com:{port}/", b"{}", {}, lookup=lambda *_: ["127.0.0.1"])
    assert found.failure == "certificate"


def test_plain_text_where_a_certificate_should_be_is_refused(monkeypatch):
    monkeypatch.setattr(addresses, "public", lambda number: number == "127.0.0.1")
    with speaking(said(OK + b"\r\n")) as port:
        monkeypatch.setattr(addresses, "PORTS", frozenset({port}))
        found = post(f"https://shop.com:{port}/", b"{}", {}, seconds=1, lookup=lambda *_: ["127.0.0.1"])
    assert found.failure in {"certificate", "timeout"}
