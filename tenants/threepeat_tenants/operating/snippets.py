"""What a shop's developer pastes to send a first order: four ways, each complete and on the standard library."""

import re
from collections.abc import Mapping

from threepeat.sdk.wording import _
from threepeat.tenancy import keys
from threepeat.tenancy.errors import Invalid

# Nothing that means something to a shell or closes a string.
URL = re.compile(r"https?://[A-Za-z0-9.:\[\]_/-]{1,200}")
CURRENCY = re.compile(r"[A-Z]{3}")

CURL = """\
NOW=$(date -u +%Y-%m-%dT%H:%M:%SZ)
curl -sS '@URL@/v1/events' \\
  -H 'Authorization: Bearer @KEY@' \\
  -H 'Content-Type: application/cloudevents+json' \\
  -d '{
    "specversion": "1.0", "type": "order.paid", "source": "shop",
    "id": "first-'"$NOW"'", "time": "'"$NOW"'", "subject": "customer-1",
    "data": {"order_id": "first-'"$NOW"'", "total": 2800, "currency": "@CURRENCY@"}
  }'
"""

PYTHON = """\
import json
import urllib.request
from datetime import datetime, timezone

now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
event = {
    "specversion": "1.0", "type": "order.paid", "source": "shop",
    "id": f"first-{now}", "time": now, "subject": "customer-1",
    "data": {"order_id": f"first-{now}", "total": 2800, "currency": "@CURRENCY@"},
}
request = urllib.request.Request(
    "@URL@/v1/events",
    data=json.dumps(event).encode(),
    headers={
        "Authorization": "Bearer @KEY@",
        "Content-Type": "application/cloudevents+json",
    },
)
with urllib.request.urlopen(request, timeout=10) as answer:
    print(answer.status, answer.read().decode())
"""

NODE = """\
const now = new Date().toISOString();
const event = {
  specversion: "1.0", type: "order.paid", source: "shop",
  id: `first-${now}`, time: now, subject: "customer-1",
  data: { order_id: `first-${now}`, total: 2800, currency: "@CURRENCY@" },
};
fetch("@URL@/v1/events", {
  method: "POST",
  headers: {
    "Authorization": "Bearer @KEY@",
    "Content-Type": "application/cloudevents+json",
  },
  body: JSON.stringify(event),
}).then(async (answer) => console.log(answer.status, await answer.text()));
"""

PHP = """\
<?php
$now = gmdate('Y-m-d\\TH:i:s\\Z');
$event = [
    'specversion' => '1.0', 'type' => 'order.paid', 'source' => 'shop',
    'id' => "first-$now", 'time' => $now, 'subject' => 'customer-1',
    'data' => ['order_id' => "first-$now", 'total' => 2800, 'currency' => '@CURRENCY@'],
];
echo file_get_contents('@URL@/v1/events', false, stream_context_create(['http' => [
    'method' => 'POST',
    'header' => "Authorization: Bearer @KEY@\\r\\nContent-Type: application/cloudevents+json\\r\\n",
    'content' => json_encode($event),
    'timeout' => 10,
    'ignore_errors' => true,
]]));
"""

TEMPLATES: Mapping[str, str] = {"curl": CURL, "python": PYTHON, "node": NODE, "php": PHP}


def snippets(url: str, key: str, currency: str) -> Mapping[str, str]:
    """Programs that send a first `order.paid`, by language: `curl`, `python`, `node`, `php`.

    Each run is a new order; none changes anything but the log of the key's store.

    Args:
        url: Where Threepeat answers, without a path of the API.
        key: An ingest key, whole.
        currency: The store's.

    Raises:
        Invalid: A value would not stand in a program as it is.
    """
    if not URL.fullmatch(url):
        raise Invalid("url", _("use an address such as {example}", example="https://retention.example.com"))
    if not keys.SHAPE.fullmatch(key):
        raise Invalid("key", _("is no API key"))
    if not CURRENCY.fullmatch(currency):
        raise Invalid("currency", _("use a code such as {example}", example="CNY"))
    values = {"@URL@": url.rstrip("/"), "@KEY@": key, "@CURRENCY@": currency}
    return {name: _filled(template, values) for name, template in TEMPLATES.items()}


def _filled(template: str, values: Mapping[str, str]) -> str:
    for mark, value in values.items():
        template = template.replace(mark, value)
    return template
