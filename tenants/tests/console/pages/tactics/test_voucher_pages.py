"""Vouchers in the console: a template with its example, a batch that names it, and the codes as a file."""

import re

from threepeat.worker.loop import Worker

TEMPLATES = "/tactics/vouchers/collections/templates"
BATCHES = "/tactics/vouchers/collections/batches"


def newest(shop, root):
    """The number and the address of the newest item of a collection."""
    number = re.search(rf"{shop.root}{root}/items/(\d+)", shop.get(root))[1]
    return number, f"{root}/items/{number}"


def test_a_template_is_made_and_its_codes_are_had_as_a_file(make_shop):
    shop = make_shop()
    sent = shop.fields(f"{TEMPLATES}/new", "values") | {
        "values.name": "Five off",
        "values.kind": "fixed",
        "values.amount": "5.00",
        "values.threshold": "20",
    }
    assert "fill this in, too" in shop.post(f"{TEMPLATES}/new", sent | {"values.amount": ""}, 422)
    assert "Five off is made." in shop.follow(f"{TEMPLATES}/new", sent)
    template, item = newest(shop, TEMPLATES)
    assert "An order of CN¥20.00 costs CN¥5.00 less." in shop.get(item)
    flyer = {"values.name": "Flyer", "values.template": template, "values.size": "3"}
    assert "Choose a template that is active." in shop.post(f"{BATCHES}/new", flyer, 422)
    assert "Five off: Active" in shop.follow(f"{item}/activate", {"revision": "1"})
    changed = shop.fields(item, "values", "revision") | {"values.amount": "4.00"}
    assert "Vouchers may be out already" in shop.follow(item, changed)
    assert f'<option value="{template}">Five off</option>' in shop.get(f"{BATCHES}/new")
    assert "Flyer is made." in shop.follow(f"{BATCHES}/new", flyer)
    _, batch = newest(shop, BATCHES)
    page = shop.get(batch)
    assert "0 of 3" in page
    assert "All codes as a file" not in page
    assert "cannot be done any more" in shop.follow(f"{batch}/~file")
    Worker(shop.platform).drain()
    assert "All codes as a file" in shop.get(batch)
    answer = shop.owner.post(f"{shop.root}{batch}/~file", {})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert len(answer.content.decode("utf-8-sig").splitlines()) == 4
    assert shop.trail()[0][1] == "collection.downloaded"
    analyst = shop.consoles.staff(shop.tenant, role="analyst")
    assert analyst.post(f"{shop.root}{batch}/~file", {}).status_code == 403
    assert "All codes as a file" not in shop.get(batch, who=analyst)
