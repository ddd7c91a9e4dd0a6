"""What a plugin's author is most likely to get wrong is an error of mypy, before anything runs."""

import shutil

import pytest

MISTAKES = {
    "a handler of another event": (
        "plugin.py",
        "when(OrderRefunded, reactions.refunded,",
        "when(OrderRefunded, reactions.paid,",
        "arg-type",
    ),
    "a handler of a single event": (
        "reactions.py",
        "def refunded(ctx: Ctx, events: list[OrderRefunded])",
        "def refunded(ctx: Ctx, events: OrderRefunded)",
        "arg-type",
    ),
    "a field that the event lacks": ("reactions.py", "event.total >=", "event.amount >=", "attr-defined"),
    "a reward of no kind": (
        "reactions.py",
        "ctx.grant(choice.kind, grants)",
        "ctx.grant(choice, grants)",
        "arg-type",
    ),
    "a field that a reward lacks": ("reactions.py", "item=choice.item)", "reason=choice.item)", "call-arg"),
    "a field of a reward of another type": (
        "reactions.py",
        "Grant(event.member, choice.amount",
        "Grant(event.member, str(choice.amount)",
        "arg-type",
    ),
    "a setting that is not there": ("reactions.py", "ctx.settings.every", "ctx.settings.evry", "attr-defined"),
    "a setting of another type": ("routes.py", "every - row.orders % every", 'every + "x"', "operator"),
    "another plugin's settings": (
        "plugin.py",
        "    settings_model = ThanksSettings",
        "    settings_model = int",
        "assignment",
    ),
    "a hook with other parameters": (
        "plugin.py",
        "def merge_members(self, ctx: Context[Any], source: int, target: int)",
        "def merge_members(self, ctx: Context[Any], source: str, target: int)",
        "override",
    ),
    "an event without its field": (
        "reactions.py",
        "Thanked(order_id=event.order_id, number=",
        "Thanked(nummer=",
        "call-arg",
    ),
}


@pytest.fixture(scope="module")
def mistaken(workshop, tmp_path_factory):
    """A copy of the project with one mistake in it, and what mypy says; it goes on from what it knew before."""
    copy = tmp_path_factory.mktemp("typed") / "project"
    shutil.copytree(workshop.project, copy)
    right = workshop.run("mypy", folder=copy)
    assert right.returncode == 0, right.stdout

    def ask(file, before, after):
        place = copy / "threepeat_thanks" / file
        source = place.read_text()
        assert before in source
        place.write_text(source.replace(before, after, 1))
        try:
            return workshop.run("mypy", folder=copy).stdout
        finally:
            place.write_text(source)

    return ask


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_an_error(mistaken, mistake):
    file, before, after, code = MISTAKES[mistake]
    said = mistaken(file, before, after)
    assert f"[{code}]" in said, said
    assert f"threepeat_thanks/{file}" in said
