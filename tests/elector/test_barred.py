from __future__ import annotations

from haman.elector.barred import Barred


def test_a_refusal_holds_ten_seconds():
    barred = Barred()
    assert not barred
    barred.refused("public", "no such device", 100.0)
    assert "public" in barred
    assert barred.until(["public", "other"]) == [110.0]
    assert barred.why("public", 109.9) == "the kernel refused: no such device"
    assert barred.why("public", 110.0) is None
    assert not barred


def test_an_offer_that_nobody_took_ends_with_its_time():
    barred = Barred()
    barred.contested("public", "somebody deletes it", 100.0, interval=1.0)
    barred.answered("public", 101.2, away=True)
    assert barred.until(["public"]) == [101.25]
    barred.answered("public", 101.25, away=False)
    assert barred.why("public", 101.25) is None


def test_who_was_taken_over_from_stays_away_for_a_minute_and_no_longer():
    barred = Barred()
    barred.contested("public", "somebody deletes it", 100.0, interval=1.0)
    barred.answered("public", 101.5, away=True)
    assert barred.until(["public"]) == [161.5]
    barred.answered("public", 161.5, away=True)
    assert barred.why("public", 161.5) is None


def test_a_router_with_a_new_name_is_barred_for_what_it_was_and_its_offer_is_not_forgotten():
    barred = Barred()
    barred.contested("public", "somebody deletes it", 100.0, interval=1.0)
    barred.refused("gone", "no such device", 100.0)
    barred.rename({"web": "public"})
    barred.answered("web", 101.25, away=True)
    assert barred.until(["web", "public", "gone"]) == [161.25]


def test_a_router_that_is_no_more_is_forgotten():
    barred = Barred()
    barred.refused("public", "no such device", 100.0)
    barred.forget("public")
    barred.forget("never-known")
    assert "public" not in barred
