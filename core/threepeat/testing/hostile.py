"""Hostile values by name: what a route may be sent, and has to refuse or take without falling over."""

from urllib.parse import quote

IMPOSSIBLE: dict[str, bytes] = {
    "NUL": b'"a\\u0000b"',
    "NUL as key": b'{"a\\u0000b":1}',
    "lone surrogate": b'"\\ud800"',
    "surrogates the wrong way round": b'"\\udc00\\ud800"',
    "surrogate in bytes": b'"\xed\xa0\x80"',
    "surrogate as key": b'{"\\udfff":1}',
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "1e400": b"1e400",
    "2^63": b"9223372036854775808",
    "-2^63-1": b"-9223372036854775809",
    "10^40": b"1" + b"0" * 40,
    "10^5000": b"1" + b"0" * 5000,
    "65 deep": b"[" * 65 + b"]" * 65,
    "900 deep": b'{"a":' * 900 + b"1" + b"}" * 900,
    "20,000 deep": b"[" * 20_000 + b"]" * 20_000,
    "100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "100,000 open": b"[" * 100_000,
    "100,000 keys": b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(100_000)) + b"}",
    "300,000 empty arrays": b"[" + b",".join([b"[]"] * 300_000) + b"]",
    "not UTF-8": b'"\xff"',
    "no JSON": b"{]",
}
"""JSON texts, some of them none, that no field of any route takes, wherever they stand."""

ODD: dict[str, bytes] = {
    "year 300000": b'"300000-01-01T00:00:00Z"',
    "the first day east": b'"0001-01-01T00:00:00+14:00"',
    "the last day west": b'"9999-12-31T23:59:59-14:00"',
    "2^63-1": b"9223372036854775807",
    "-2^63": b"-9223372036854775808",
    "1e308": b"1e308",
    "minus zero": b"-0.0",
    "half": b"0.5",
    "huge text": b'"' + b"x" * 500_000 + b'"',
    "huge text in UTF-8": b'"' + "宽".encode() * 150_000 + b'"',
    "empty text": b'""',
    "white space": b'" \\t\\n\xe2\x80\xa8"',
    "null": b"null",
    "true": b"true",
    "array": b"[]",
    "object": b"{}",
    "9,000 keys": b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(9000)) + b"}",
    "9,000 values": b"[" + b",".join([b"0"] * 9000) + b"]",
    "64 deep": b"[" * 60 + b"]" * 60,
    "duplicate keys": b'{"a":1,"a":2}',
    "control characters": b'"\\u0001\\u001b[31m\\u007f"',
    "bidi": '"\u202e\u2066👩\u200d👧\ufeff\uffff"'.encode(),
    "SQL": b'"\'); DROP TABLE core.event; --"',
    "template": b'"{{7*7}}${7*7}%(n)s%s{0}:tenant"',
    "header": b'"a\\r\\nX-Evil: 1"',
    "path": b'"../../etc/passwd"',
}
"""JSON texts that a field may take or not; a server errs over neither."""

ADDRESSES: dict[str, str] = {
    "NUL": "%00",
    "surrogate": "%ed%a0%80",
    "not UTF-8": "%ff%fe",
    "2^63": "9223372036854775808",
    "10^40": "1" + "0" * 40,
    "10^5000": "1" + "0" * 5000,
    "1e400": "1e400",
    "NaN": "NaN",
    "year 300000": "300000-01-01T00:00:00Z",
    "long": "x" * 20_000,
    "SQL": quote("'); DROP TABLE core.event; --"),
    "header": "%0d%0aX-Evil:%201",
    "slash": "%2f%2f",
    "bidi": quote("\u202e\uffff"),
}
"""Values for parameters in paths and queries, escaped as they are sent."""
