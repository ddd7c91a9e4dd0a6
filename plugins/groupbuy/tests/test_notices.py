"""What members are told: each once, of what concerns them."""

import pytest

from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, provide_messages


class Post(Plugin[PluginSettings]):
    """Brings messages into a list."""

    manifest = Manifest(id="post", kind="service", title="Post", summary="Brings messages.")
    settings_model = PluginSettings

    def __init__(self):
        self.sent = []

    @hookimpl
    def provides(self):
        yield provide_messages(lambda _ctx: self)

    def send(self, messages):
        self.sent += messages


POST = Post()


@pytest.fixture(scope="module")
def platform(opening):
    with opening(("post", POST)) as made:
        yield made


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    yield made
    assert made.violations() == []


def told(shop):
    names = {number: name for name, number in shop.ids.items()}
    found = [(names[one.member], one.kind, one.key, one.values["en"]) for one in POST.sent]
    assert len({one[:3] for one in found}) == len(found), "each once"
    return sorted((name, kind, values) for name, kind, _, values in found)


def test_members_are_told_of_success_failure_and_of_another_group(shop):
    POST.sent = []
    campaign = shop.campaign(hours=2)
    group = shop.open("ann", campaign)
    late = shop.reserve("bob", campaign, group)
    shop.wait(minutes=31)
    shop.buy("eve", campaign, group)
    event = shop.paid(late, "bob")
    shop.batch(event, {**event, "id": "again"})
    shop.wait(hours=3)
    name = {"name": "Tea for two"}
    assert told(shop) == [
        ("ann", "succeeded", name),
        ("bob", "failed", {**name, "amount": "CN¥60.00"}),
        ("bob", "moved", name),
        ("eve", "succeeded", name),
    ]
