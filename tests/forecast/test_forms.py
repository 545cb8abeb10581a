"""The forms for pull requests, browsers and programs."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from sarif_pydantic import Sarif

from mlopsgen.forecast.forms import html, machine, markdown, text, words
from tests.forecast.known import BASE, dumped, edited, told
from tests.motion.known import bases

STOPS = edited(BASE, ("natGateways: single", "natGateways: single, cidr: 10.9.0.0/16"))
HOSTILE = edited(BASE, ("reads: [raw]", "reads: [raw]\n      env: {GREETING: hello}"))
WIDER = edited(BASE, ("reads: [raw]", "reads: [raw, models]"), ("port: 8080", "port: 9090"))


def test_markdown_says_most_outside_of_the_fold():
    """Each environment's verdict, the table and the causes are seen before anything is opened."""
    found = markdown.write(told(BASE, edited(STOPS, ("path: /ready", "path: /health"))))
    open_ = found.partition("<details>")[0]
    assert open_.startswith("<!-- mlopsgen diff: shop -->\n### What this merge does to `shop`\n")
    assert "🛑 `prod`: STOPS at \\`network\\`, stack 4 of 8" in open_
    assert "without line 7 (network.vpc.cidr) nothing stops" in open_
    assert "because of `pipeline.yaml:7` network.vpc.cidr: added (10.9.0.0/16)" in open_
    assert found.count("<details>") == found.count("</details>") >= 1


def test_markdown_tells_the_same_of_two_environments_once():
    """What is true of all environments is one point of the list."""
    found = markdown.write(told(BASE, STOPS))
    assert found.count("gateway-in-use") == 1


def test_a_text_of_the_users_stays_a_text():
    """Markdown, HTML and mentions in a value are shown as they are written."""
    bad = "</p><b>@admin [x](http://e) `c` | *"
    after = edited(HOSTILE, ("GREETING: hello", f"GREETING: {json.dumps(bad)}"))
    report = told(HOSTILE, after)
    comment = markdown.write(report)
    assert "<b>" not in comment
    assert "@admin" not in comment
    assert "](http" not in comment
    page = html.write(report)
    assert "<b>" not in page
    assert "&lt;/p&gt;&lt;b&gt;" in page


def test_markdown_fits_into_a_comment():
    """However much changes, the comment is shorter than GitHub takes, well formed, and says what it lacks."""
    base = bases()["everything"]
    services = [
        {"name": f"extra-{number}", "image": base["spec"]["images"][0]["name"]} for number in range(70)
    ]
    bigger = dumped({**base, "spec": {**base["spec"], "services": [*base["spec"]["services"], *services]}})
    found = markdown.write(told(dumped(base), bigger))
    assert len(found) < 65_536
    assert found.count("<details>") == found.count("</details>")
    assert "Too long for a comment" in found


def test_json_has_everything():
    """What the text says, programs get too, with the edits that each verdict is owed to."""
    report = told(BASE, WIDER)
    found = json.loads(machine.json_text(report))
    assert found["schema"] == "mlopsgen.io/forecast/v1"
    assert [each["path"] for each in found["edits"]] == ["services.api.reads", "services.api.ports.http.port"]
    (prod, _) = found["environments"]
    assert (prod["environment"], prod["stops"], prod["way"]) == ("prod", False, "changed")
    by_name = {each["logicalId"]: each for each in prod["resources"]}
    assert by_name["TaskRole"]["causes"] == ["services.api.reads"]
    assert by_name["TaskDefinition"]["action"] == "replace"
    assert {each["direction"] for each in prod["rights"]} == {"wider"}
    assert "s3:GetObject" in prod["rights"][0]["actions"]
    assert {each["causes"][0] for each in prod["reach"]} == {"services.api.ports.http.port"}


def test_sarif_and_github_point_to_the_lines():
    """Findings stand at the lines that cause them, once for all environments."""
    report = told(BASE, STOPS)
    Sarif.model_validate_json(machine.sarif(report))
    results = json.loads(machine.sarif(report))["runs"][0]["results"]
    assert {each["ruleId"] for each in results} >= {"gateway-in-use", "address-in-use"}
    (gateway,) = (each for each in results if each["ruleId"] == "gateway-in-use")
    assert gateway["level"] == "error"
    assert gateway["message"]["text"].startswith("prod, dev: network / InternetGatewayAttachment: ")
    assert gateway["locations"][0]["physicalLocation"]["region"]["startLine"] == 7
    assert re.search(
        r"(?m)^::error file=pipeline.yaml,line=7,.*title=mlopsgen gateway-in-use::", machine.github(report)
    )


def test_what_is_gone_is_shown_where_it_was():
    """A line that was removed cannot be pointed to: its annotation stands at what held it."""
    after = edited(BASE, ("      reads: [raw]\n", ""))
    report = told(BASE, after)
    line = BASE.splitlines().index("      reads: [raw]") + 1
    assert f":{line} (gone)" in text.write(report)
    (edit,) = report.edits
    assert edit.shown.line <= len(after.splitlines())


def test_html_is_one_page():
    """It loads nothing, and every element is closed."""
    page = html.write(told(BASE, STOPS))
    assert not re.search(r"(src|href)=|url\(|@import|<script", page)

    class Checks(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open_: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "link", "br"):
                self.open_.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open_.pop() == tag

    checks = Checks()
    checks.feed(page)
    assert checks.open_ == []


def test_the_same_texts_give_the_same_bytes():
    """Nothing of the machine, the clock or the order of a set is in it."""
    once, again = told(BASE, WIDER), told(BASE, WIDER)
    for write in (text.write, markdown.write, html.write, machine.json_text, machine.sarif, machine.github):
        assert write(once) == write(again)


def test_nothing_changes_in_every_form():
    """Where nothing changes, each form says so and names no resource."""
    report = told(BASE, BASE)
    assert not report.changes
    assert "nothing changes" in markdown.write(report)
    assert "nothing changes" in html.write(report)
    assert machine.github(report) == ""
    assert all(each["resources"] == [] for each in json.loads(machine.json_text(report))["environments"])
    assert words.headline(report.outlooks[0]) == "nothing changes"
