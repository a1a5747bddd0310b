"""A dry run works on a copy of the state, whichever database that is in, and changes nothing there."""

from __future__ import annotations

import pytest

from faultprint.errors import UsageError
from faultprint.monitor.base.location import PostgresUrl, StateLocation
from faultprint.monitor.deliver.outbox import Outbox
from faultprint.monitor.state.dry_run import copied_state
from faultprint.monitor.state.store import Store

from .postgres import Server
from .test_store import SINK, incident, instructed, record, waiting


def test_a_copy_holds_all_and_is_nobody_elses(state: StateLocation) -> None:
    with Store(state) as store:
        store.claim()
        for number in range(2):
            store.save_minute(record(number))
        instructed(state, store)
        with copied_state(state) as place:
            with Store(place) as copy:
                copy.claim()  # though a monitor is at work with the original
                assert copy.facts().keys() >= store.facts().keys()
                assert list(copy.nodes()) == list(store.nodes()) and copy.counters() == store.counters()
                assert list(copy.frames("codes", pytest.fail)) == list(store.frames("codes", pytest.fail))
                assert list(copy.verdicts()) == list(store.verdicts())
                assert list(copy.incidents()) == list(store.incidents())
                assert copy.commands() == store.commands() != []
                copy.save_minute(record(2))
            outbox = Outbox(place, SINK, 100)
            assert len(waiting(place)) == 3
            outbox.dead_letter(outbox.oldest()[0], "why not", 0)
            outbox.close()
        assert not place.exists()
        assert store.facts()["closed"] == "1" and len(waiting(state)) == 2
        assert store.incident(str(incident(2).identity)) is None


def test_where_nothing_is_a_dry_run_begins_with_nothing(state: StateLocation) -> None:
    with copied_state(state) as place, Store(place) as copy:
        assert copy.facts() == {}


def test_a_state_that_is_anothers_is_one_sentence(postgres: Server) -> None:
    """Somebody may look at tables, but read none of them."""
    place = postgres.fresh()
    with Store(place) as store:
        store.save_minute(record(0))
    postgres.do("CREATE ROLE guest LOGIN")
    schema = place.url.rpartition("%3D")[2]
    postgres.do(f"GRANT USAGE ON SCHEMA {schema} TO guest")
    other = PostgresUrl(f"{place.url}&user=guest")
    with pytest.raises(UsageError, match="does not let its user do that"), copied_state(other):
        pass
