"""The verifier's page in a browser, as a file without a network, held against the same vectors."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import expect
from watching import PHONE

VECTORS = Path(__file__).resolve().parents[2] / "plugins/blindbox/tests/vectors/vectors.json"
CASES = json.loads(VECTORS.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    """The page as somebody keeps it, on a phone that is offline."""
    kept = tmp_path_factory.mktemp("kept") / "verify.html"
    kept.write_bytes((files("threepeat_blindbox") / "verifier" / "verify.html").read_bytes())
    context = browser.new_context(viewport={"width": PHONE, "height": 800}, offline=True)
    made = context.new_page()
    wrong = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("request", lambda request: request.url.startswith("file:") or wrong.append(request.url))
    made.goto(kept.as_uri())
    yield made
    context.close()
    assert not wrong, "\n".join(wrong)


def given(name, value):
    return {"name": name, "mimeType": "application/json", "buffer": json.dumps(value).encode()}


@pytest.mark.parametrize("case", CASES, ids=lambda one: one["name"])
def test_the_page_says_what_the_program_says(page, case):
    page.reload()
    page.locator("#evidence").set_input_files(given("evidence.json", case["evidence"]))
    page.locator("#receipts").set_input_files(given("mine.json", case["receipts"]))
    page.locator("#go").click()
    answer = page.locator("#answer")
    if case["wrong"]:
        expect(answer).to_have_class("bad")
        expect(answer).to_contain_text(re.compile(f"WRONG.*({case['wrong']})"))
    else:
        expect(answer).to_have_class("good")
        expect(answer).to_contain_text(f"{len(case['evidence']['receipts'])} / {len(case['receipts'])}")


def test_the_page_fits_a_phone_and_asks_for_the_evidence_first(page):
    page.reload()
    page.locator("#go").click()
    expect(page.locator("#answer")).to_contain_text("choose the evidence first")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
