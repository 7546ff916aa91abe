from __future__ import annotations

import asyncio

from haman.director.changing import Changing


def test_it_is_looked_at_whenever_something_has_changed() -> None:
    async def scenario() -> None:
        changing, state, looks = Changing(), [0], []

        def holds() -> bool:
            looks.append(state[0])
            return state[0] == 2

        waiting = asyncio.ensure_future(changing.until(holds, 60))
        for state[0] in (1, 2):
            await asyncio.sleep(0)
            changing.happened()
        assert await waiting is True
        assert looks == [1, 2]
        assert await changing.until(holds, 0) is True
        changing.happened()
        assert looks == [1, 2, 2], "nobody waits any more"

    asyncio.run(scenario())


def test_two_wait_beside_each_other() -> None:
    async def scenario() -> None:
        changing, state = Changing(), {1}
        both = [asyncio.ensure_future(changing.until(lambda each=each: each in state, 60)) for each in (2, 3)]
        await asyncio.sleep(0)
        state.add(2)
        changing.happened()
        assert await both[0] is True
        state.add(3)
        changing.happened()
        assert await both[1] is True

    asyncio.run(scenario())


def test_what_does_not_come_about_is_given_up() -> None:
    assert asyncio.run(Changing().until(lambda: False, 0.01)) is False
