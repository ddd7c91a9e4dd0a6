"""The audit of pinned versions says what it knows, and does not pass silence for good news."""

import sys

import pytest
from tests.security import audit

GOOD = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3"]}]}
OPEN = {"name": "c", "version": "2", "vulns": [{"id": "PYSEC-2", "aliases": [], "fix_versions": []}]}
SILENT = {"name": "d", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("versions", "code", "told"),
    [
        ([GOOD], audit.CLEAN, ["1 versions, none with a known vulnerability"]),
        ([GOOD, BAD], audit.FOUND, ["b 2: PYSEC-1, CVE-1; mended in 3"]),
        ([OPEN], audit.FOUND, ["c 2: PYSEC-2; not mended yet"]),
        ([GOOD, SILENT], audit.UNKNOWN, ["not known of 1 of 2 versions: d"]),
        (
            [BAD, SILENT],
            audit.FOUND,
            ["b 2: PYSEC-1, CVE-1; mended in 3", "not known of 1 of 2 versions: d"],
        ),
        ([SILENT] * 7, audit.UNKNOWN, ["not known of 7 of 7 versions: d, d, d, d, d and 2 more"]),
        ([], audit.UNKNOWN, ["no version was looked at"]),
    ],
)
def test_a_report_is_judged(versions, code, told):
    assert audit.judge({"dependencies": versions}) == (code, told)


@pytest.mark.parametrize("printed", ["", "no JSON at all"])
def test_a_service_that_does_not_answer_is_told(printed, tmp_path, capsys):
    program = tmp_path / "pip-audit"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint({printed!r})\nsys.exit('ERROR: no way there')\n")
    program.chmod(0o755)
    assert audit.main(program, []) == audit.UNKNOWN
    assert capsys.readouterr().out == "no vulnerability service could be asked\nERROR: no way there\n"


def test_every_pinned_version_is_asked_about_with_its_hash(tmp_path, capsys):
    program = tmp_path / "pip-audit"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        "print(json.dumps({'dependencies': [{'name': one, 'version': '1', 'vulns': []} for one in sys.argv]}))\n"
    )
    program.chmod(0o755)
    assert audit.main(program, ["--vulnerability-service", "osv"]) == audit.CLEAN
    assert "none with a known vulnerability" in capsys.readouterr().out
    assert audit.CONSTRAINTS.is_file()
