"""Domains with a real worker process and real models: the grid of labels and domains is filled."""

from sqlalchemy import select

from chatgenimage.db.models import Candidate, Prompt, Scene

DOMAINS = {"on a beach": "a beach", "in snow": "a snowy field"}
QUOTA = ("--accepted", "4", "--per-label", "4", "--workers", "1")


def test_every_label_is_made_in_every_domain_and_a_refilter_keeps_it(factory):
    factory.call_json("run", "dog", "house", "--domains", ",".join(DOMAINS), *QUOTA)
    cells = factory.call_json("status")["coverage"]
    assert [(cell["label"], cell["domain"], cell["wanted"]) for cell in cells] == [
        (label, domain, 2) for label in ("dog", "house") for domain in DOMAINS
    ]
    assert all(cell["accepted"] >= cell["wanted"] for cell in cells)
    with factory.sessions() as session:
        candidates = session.scalars(select(Candidate)).all()
        assert {one.origin for one in candidates} == {"generated", "edited", "filled"}
        for one in candidates:
            said = one.scene.background if one.scene else one.prompt_text
            assert DOMAINS[one.domain] in said
        seen = [each for one in candidates for each in one.scores if each.name.startswith("domain")]
        assert all(each.threshold == 0.5 for each in seen)
        assert all(each.passed for each in seen if each.value >= 0.5)
        assert len(session.scalars(select(Prompt)).all()) >= 8
        assert session.scalars(select(Scene)).all()
    found = factory.call("query", "--domain", "in snow", "--format", "json", "--limit", "1000")
    assert found.stdout.count('"domain": "in snow"') == sum(
        one.domain == "in snow" for one in candidates
    )
    assert factory.call("replay", str(candidates[0].id)).returncode == 0
    again = factory.call("refilter", "1", "--set", "domain_probability=0.9", "--yes")
    assert again.returncode == 0, again.stderr
    assert len(factory.call_json("status")["coverage"]) == len(cells)
