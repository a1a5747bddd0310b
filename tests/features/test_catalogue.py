from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.errors import TableError
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue, Feature
from faultprint.features.operations import INDICATORS, KINDS, OPERATIONS, STATISTICS
from faultprint.tables import MINUTES


def test_the_sip_catalogue_has_132_features() -> None:
    assert (len(OPERATIONS), len(STATISTICS), len(INDICATORS)) == (10, 12, 12)
    assert len(SIP_CATALOGUE) == len(set(SIP_CATALOGUE.names)) == 132


def test_every_feature_is_supported_by_a_count() -> None:
    kinds = {feature.name: feature.kind for feature in SIP_CATALOGUE.features}
    assert {kinds[feature.support] for feature in SIP_CATALOGUE.features} == {"count"}
    assert all(
        feature.support == feature.name for feature in SIP_CATALOGUE.features if feature.name.endswith(".attempts")
    )


def test_the_hash_is_that_of_models_in_use() -> None:
    # A change of this hash makes every model unreadable. Raise the catalogue's version with it.
    assert SIP_CATALOGUE.hash == "51129c8854cc5a14ce8ffdbd55f049a917f7bf6f275a78157464fc278fb4215c"


def test_the_hash_depends_on_rules_and_not_on_wording() -> None:
    count = Feature("n", "", "count")
    usual = Catalogue("pm", 1, (count, Feature("x", "s", "seconds")))
    reworded = Catalogue("pm", 1, (count, Feature("x", "s", "seconds", term="X", meaning="another word")))
    assert usual.hash == reworded.hash
    others = [
        Catalogue("pn", 1, usual.features),
        Catalogue("pm", 2, usual.features),
        Catalogue("pm", 1, usual.features[::-1]),
        Catalogue("pm", 1, (count, Feature("y", "s", "seconds"))),
        Catalogue("pm", 1, (count, Feature("x", "ms", "seconds"))),
        Catalogue("pm", 1, (count, Feature("x", "s", "gauge"))),
        Catalogue("pm", 1, (count, Feature("x", "s", "seconds", "n"))),
    ]
    assert len({usual.hash, *(other.hash for other in others)}) == 8


names = st.text(min_size=1).filter(lambda name: name not in MINUTES.names)


@given(
    st.text(min_size=1),
    st.integers(),
    st.lists(
        st.builds(Feature, names, st.text(), st.sampled_from(tuple(KINDS)), st.just(""), st.text(), st.text()),
        min_size=1,
        unique_by=lambda feature: feature.name,
    ),
)
def test_a_catalogue_survives_json(name: str, version: int, features: list[Feature]) -> None:
    catalogue = Catalogue(name, version, tuple(features))
    again = Catalogue.from_json(catalogue.to_json())
    assert again == catalogue
    assert again.hash == catalogue.hash


def document(**change: object) -> str:
    features = [{"name": "n", "unit": "", "kind": "count"}]
    return json.dumps({"name": "pm", "version": 1, "features": features} | change)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "must be JSON"),
        ("[" * 99_999, "must be JSON"),
        ("[]", "exactly name, version and features"),
        (document(more=1), "exactly name, version and features"),
        (document(version="1"), "version a whole number"),
        (document(version=True), "version a whole number"),
        (document(features={}), "features a list"),
        (document(features=[]), "at least one feature"),
        (document(features=[1]), "has name, unit and kind"),
        (document(features=[{"name": "n"}]), "has name, unit and kind"),
        (document(features=[{"name": "n", "unit": 1, "kind": "count"}]), "unit must be text"),
        (document(features=[{"name": "n", "unit": "", "kind": "total"}]), "is of kind 'total'"),
        (document(features=[{"name": "minute", "unit": "", "kind": "count"}]), "cannot be named 'minute'"),
        (document(features=[{"name": "n", "unit": "", "kind": "count"}] * 2), "2 features named 'n'"),
        (
            document(features=[{"name": "n", "unit": "", "kind": "ratio", "support": "m"}]),
            "which is not a count feature in it",
        ),
    ],
)
def test_an_invalid_catalogue_is_refused_with_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(TableError, match=sentence):
        Catalogue.from_json(text)


def test_index_knows_every_name_and_no_other() -> None:
    assert [SIP_CATALOGUE.index(name) for name in SIP_CATALOGUE.names] == list(range(132))
    with pytest.raises(TableError, match=r"no feature 'node\.mood'"):
        SIP_CATALOGUE.index("node.mood")


def test_the_catalogue_needs_nothing_beyond_the_standard_library() -> None:
    code = "import sys; sys.modules['polars'] = sys.modules['numpy'] = None; import faultprint.features.catalogue"
    subprocess.run([sys.executable, "-c", code], check=True)
