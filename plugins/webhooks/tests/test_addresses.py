"""Where webhooks may go: hostile addresses are refused when they are saved, or once it is known what they mean."""

import ipaddress
import socket
import threading
import time
from datetime import timedelta

import pytest
from hooks_kit import Receiver

from threepeat_webhooks import addresses
from threepeat_webhooks.addresses import LOOPBACK, Forbidden, pinned, public, target
from threepeat_webhooks.sending import post

SAID = {
    # not https, or not a web address at all
    **{
        name: name
        for name in ("http://shop.com/", "ftp://shop.com/", "file:///etc/passwd", "gopher://shop.com:70/_x")
    },
    **{
        name: name for name in ("javascript:alert(1)", "data:text/plain,x", "unix:/run/docker.sock", "//shop.com/")
    },
    **{
        name: name
        for name in ("shop.com/hook", "https:shop.com", "https:/shop.com", "https:///etc/passwd", "https://")
    },
    **{
        name: name
        for name in ("wss://shop.com/", "https+unix://shop.com", "HTTP://shop.com", "jar:https://shop.com!/")
    },
    # this machine and its neighbours, by number
    **{
        name: name
        for name in ("https://127.0.0.1/", "https://10.0.0.1/", "https://192.168.1.1/", "https://172.16.0.1/")
    },
    **{name: name for name in ("https://0.0.0.0/", "https://0/", "https://169.254.169.254/latest/meta-data/")},
    **{name: name for name in ("https://100.64.0.1/", "https://8.8.8.8/", "https://255.255.255.255/")},
    # the same numbers, written as few would look for them
    "decimal": "https://2130706433/",
    "octal": "https://0177.0.0.1/",
    "hexadecimal": "https://0x7f.0.0.1/",
    "hexadecimal in one": "https://0x7f000001/",
    "last part hexadecimal": "https://127.0.0.0x1/",
    "three parts": "https://127.0.1/",
    "two parts": "https://127.1/",
    "leading zeros": "https://0000127.0.0.1/",
    "too large": "https://4294967297.0.0.1/",
    "metadata, decimal": "https://2852039166/",
    "metadata, octal": "https://0251.0376.0251.0376/",
    "escaped": "https://%31%32%37.0.0.1/",
    "escaped dot": "https://shop%2ecom/",
    "full width": "https://１２７.０.０.１/",
    "circled": "https://①②⑦.⓪.⓪.①/",
    "ideographic full stop": "https://127。0。0。1/",
    "Arabic digits": "https://١٢٧.٠.٠.١/",
    # IPv6
    **{
        name: name
        for name in ("https://[::1]/", "https://[::]/", "https://[fe80::1%25eth0]/", "https://[fd00:ec2::254]/")
    },
    "mapped": "https://[::ffff:127.0.0.1]/",
    "mapped, in hexadecimal": "https://[::ffff:7f00:1]/",
    "NAT64": "https://[64:ff9b::7f00:1]/",
    "6to4": "https://[2002:7f00:1::]/",
    "public IPv6": "https://[2606:4700::1111]/",
    "half a bracket": "https://[::1/",
    # names that are not public
    **{
        name: f"https://{name}/"
        for name in (
            *("localhost", "localhost.localdomain.local", "a.localhost", "metadata.google.internal", "db.local"),
            *("router.lan", "shop", "hidden.onion", "1.0.0.127.in-addr.arpa", "x.test", "x.example", "x.invalid"),
        )
    },
    "full stop at the end": "https://shop.com./",
    "localhost with a full stop": "https://localhost./",
    "empty label": "https://shop..com/",
    "only dots": "https://.../",
    "label of 64": f"https://{'a' * 64}.com/",
    "name of 300": f"https://{'a.' * 150}com/",
    "hyphen first": "https://-shop.com/",
    "IDNA": "https://shöp.com/",
    "IDNA that becomes localhost": "https://ⓛocalhost.com/",
    "ligature": "https://ﬁnance.com/",
    "zero width": "https://shop\u200b.com/",
    "soft hyphen": "https://sh\u00adop.com/",
    "bidi": "https://\u202emoc.pohs/",
    # who is asked is not who is named
    "user": "https://shop.com@127.0.0.1/",
    "user and password": "https://user:secret@shop.com/",
    "empty user": "https://@shop.com/",
    "two ats": "https://shop.com@evil.com@127.0.0.1/",
    "fragment": "https://shop.com/#@127.0.0.1/",
    "backslash": "https://shop.com\\@127.0.0.1/",
    "backslashes for slashes": "https:\\\\shop.com\\",
    "question mark in the name": "https://127.0.0.1?@shop.com/",
    # what goes into the request's own lines
    "line break": "https://shop.com/\r\nHost: evil",
    "escaped nowhere": "https://shop.com/\nX: y",
    "line break in the name": "https://shop.com\r\n/",
    "tab": "https://sh\top.com/",
    "space before": " https://shop.com/",
    "space in the path": "https://shop.com/a b",
    "NUL": "https://shop.com/\0",
    "NUL in the name": "https://shop.com\0.evil.com/",
    "lone surrogate": "https://shop.com/\ud800",
    "delete": "https://shop.com/\x7f",
    "angle": "https://shop.com/<script>",
    "quotation mark": 'https://shop.com/"',
    # ports
    **{
        f"port {port}": f"https://shop.com:{port}/"
        for port in (22, 25, 80, 2375, 5432, 6379, 8080, 65536, -1, "x", "")
    },
    "port in other digits": "https://shop.com:４４３/",
    "port 0443": "https://shop.com:000000443x/",
    # size
    "empty": "",
    "long": "https://shop.com/" + "a" * 2_000,
    "huge": "https://" + "a" * 1_000_000,
}

NUMBERS = [
    *(
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
    ),
    *(
        "169.254.169.254",
        "169.254.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "192.0.0.8",
        "192.0.2.1",
    ),
    *(
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
    ),
    *("240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *(
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
    ),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:1::1", "2001:10::1", "2001:db8::1"),
    *(
        "2002:7f00:1::",
        "2002:808:808::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
    ),
    *("fec0::1", "ff02::1", "ff0e::1", "2606:4700::1%1", "", "x", "127.1", "0177.0.0.1", "1.2.3.4.5"),
]


def test_the_corpus_is_large_enough():
    assert len(set(SAID.values())) >= 60
    assert len(set(NUMBERS)) >= 50


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("loopback", [False, True])
def test_a_hostile_address_is_refused_when_it_is_saved(name, loopback):
    if loopback and SAID[name].startswith(("https://127.0.0.1/", "https://127.0.0.1?", "https://localhost/")):
        assert target(SAID[name], loopback=True).here
        return
    with pytest.raises(Forbidden):
        target(SAID[name], loopback=loopback)


def test_an_honest_address_is_taken_as_it_is():
    found = target("https://Shop-1.Example.com:8443/a/b?c=d&e=%20")
    assert (found.scheme, found.host, found.port, found.path, found.here) == (
        *("https", "shop-1.example.com", 8443, "/a/b?c=d&e=%20"),
        False,
    )
    assert target("https://xn--shp-fka.com").path == "/"
    assert target("https://shop.com?a=b").path == "/?a=b"


def test_this_machine_is_for_operators_who_say_so(monkeypatch):
    assert target("http://127.0.0.1:8000/x", loopback=True).here
    monkeypatch.delenv(LOOPBACK)
    assert not addresses.loopback_allowed()
    monkeypatch.setenv(LOOPBACK, "0")
    assert not addresses.loopback_allowed()
    for url in ("http://127.0.0.1:8000/x", "http://localhost/", "https://localhost/"):
        with pytest.raises(Forbidden):
            target(url)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_that_is_not_public_is_refused_when_a_name_stands_for_it(number):
    assert not public(number)
    shop = target("https://shop.com/")
    for found in ([number], ["8.8.8.8", number], [number, "8.8.8.8"]):
        with pytest.raises(Forbidden):
            pinned(shop, within=timedelta(seconds=2), lookup=lambda *_, found=found: found)


def test_public_numbers_are_public():
    for number in ("8.8.8.8", "1.1.1.1", "223.5.5.5", "2606:4700::1111", "2400:3200::1", "64:ff9b::808:808"):
        assert public(number), number
    assert pinned(target("https://shop.com/"), within=timedelta(seconds=2), lookup=lambda *_: ["8.8.8.8"] * 3) == [
        "8.8.8.8"
    ]


def test_every_network_that_python_knows_to_be_special_is_refused():
    """What a newer list adds is refused, too; here is what the present one has."""
    v4 = ipaddress.IPv4Address._constants._private_networks
    v6 = ipaddress.IPv6Address._constants._private_networks
    assert len([*v4, *v6]) >= 20
    for network in (*v4, *v6):
        for number in (network[0], network[-1]):
            if number in {ipaddress.ip_address("192.0.0.9"), ipaddress.ip_address("192.0.0.10")}:
                continue
            assert not public(str(number)), number


def test_a_name_that_stands_for_this_machine_does_not_count_as_this_machine():
    for url in ("https://shop.com/", "https://localhost.com/"):
        with pytest.raises(Forbidden):
            pinned(target(url, loopback=True), within=timedelta(seconds=2), lookup=lambda *_: ["127.0.0.1"])


class Sink:
    """A listener that counts who comes."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.came = self.socket.getsockname()[1], []
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def connects(self):
        return len(self.came)

    def _listen(self):
        while True:
            try:
                self.came.append(self.socket.accept()[0])
            except OSError:
                return

    def close(self):
        for one in (*self.came, self.socket):
            one.close()


@pytest.fixture
def sink():
    made = Sink()
    yield made
    made.close()


def test_a_name_that_changes_its_mind_leads_nowhere(sink, monkeypatch):
    """Elsewhere a name was checked, and looked up once more to connect; the second answer was another one."""
    asked = []

    def rebinding(host, _port):
        asked.append(host)
        return ["203.0.114.7"] if len(asked) == 1 else ["127.0.0.1"]

    connected = []
    real = socket.create_connection

    def connect(address, *given, **named):
        connected.append(address[0])
        return real(("127.0.0.1", 1), *given, **named)

    monkeypatch.setattr(socket, "create_connection", connect)
    resolve = socket.getaddrinfo

    def numbers_only(host, *given, **named):
        assert ipaddress.ip_address(host), "it was looked up a second time"
        return resolve(host, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", numbers_only)
    answer = post("https://shop.com/hook", b"{}", {}, lookup=rebinding)
    assert (answer.failure, asked) == ("connection", ["shop.com"])
    assert set(connected) == {"203.0.114.7"}, "it goes where it was checked to go"
    assert post("https://shop.com/hook", b"{}", {}, lookup=rebinding).failure == "address"
    assert sink.connects == 0


def test_nobody_is_connected_to_before_every_address_is_checked(sink, monkeypatch):
    monkeypatch.delenv(LOOPBACK)
    monkeypatch.setattr(addresses, "PORTS", frozenset({443, 8443, sink.port}))
    for number in ("127.0.0.1", "::ffff:127.0.0.1", "127.0.0.2"):
        url = f"https://shop.com:{sink.port}/"
        assert post(url, b"{}", {}, lookup=lambda *_, n=number: [n, "8.8.8.8"]).failure == "address"
    for url in (f"http://127.0.0.1:{sink.port}/", f"http://localhost:{sink.port}/"):
        assert post(url, b"{}", {}).failure == "address"
    assert sink.connects == 0


def test_the_proof_sees_a_connection_that_is_made(sink):
    """The alarm: with leave of the operator the same sink is reached."""
    assert post(f"http://127.0.0.1:{sink.port}/", b"{}", {}, seconds=0.3).failure == "timeout"
    assert sink.connects == 1


def test_a_resolver_that_never_answers_holds_nobody():
    free = threading.Event()
    began = time.monotonic()
    shop = target("https://shop.com/")
    with pytest.raises(TimeoutError):
        pinned(shop, within=timedelta(seconds=0.1), lookup=lambda *_: free.wait(10) and ["8.8.8.8"])
    assert time.monotonic() - began < 2
    # However many of them hang, the number of threads has an end, and afterwards all places are free again.
    for _ in range(31):
        with pytest.raises(TimeoutError):
            pinned(shop, within=timedelta(seconds=0.01), lookup=lambda *_: free.wait(10) and ["8.8.8.8"])
    with pytest.raises(TimeoutError, match="too many"):
        pinned(shop, within=timedelta(seconds=0.01), lookup=lambda *_: ["8.8.8.8"])
    free.set()
    assert pinned(shop, within=timedelta(seconds=5), lookup=lambda *_: ["8.8.8.8"]) == ["8.8.8.8"]


def test_a_name_is_not_looked_for_below_the_servers_own_domains(monkeypatch):
    asked = []
    resolve = socket.getaddrinfo

    def note(host, *given, **named):
        asked.append(host)
        return resolve("8.8.8.8" if host.startswith("shop") else host, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", note)
    for url in ("https://shop.com/", "http://127.0.0.1:1/", "http://localhost:1/"):
        assert pinned(target(url, loopback=True), within=timedelta(seconds=5))
    assert asked == ["shop.com.", "127.0.0.1", "localhost"]


def test_a_lookup_that_cannot_begin_keeps_no_place(monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    shop = target("https://shop.com/")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(33):
            with pytest.raises(RuntimeError, match="new thread"):
                pinned(shop, within=timedelta(seconds=0.01), lookup=lambda *_: ["8.8.8.8"])
    assert pinned(shop, within=timedelta(seconds=5), lookup=lambda *_: ["8.8.8.8"]) == ["8.8.8.8"]


def test_no_proxy_of_the_environment_is_asked(sink, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{sink.port}")
    receiver = Receiver()
    headers = {"webhook-id": "evt_1"}
    assert post(receiver.url, b"{}", headers).failure == ""
    assert (len(receiver.got), sink.connects) == (1, 0)
    receiver.close()
