"""Stories made from a seed: a cluster drawn at random, and what befalls it.

Between two deeds there is sometimes hardly any time, and often enough for everything to settle, so that both what
happens in the middle of something and what must come out in the end are looked at. Whatever is broken is mended again,
but not always before the next thing breaks.
"""

from __future__ import annotations

from random import Random

from haman.simulation.cluster import ARBITER, Setup
from haman.simulation.story import Deed, Story

DEEDS = 40
SETTLING = 18
"""Intervals of peace after which everything must have come right: neighbours take 15 (invariants.neighbours_follow)."""

DEAF = 0.3
"""The share of bad weather in which directors hear each other well, and neighbours do not."""

INTERVALS = (0.1, 0.1, 0.1, 0.05, 0.25, 1.0)


def story(seed: int) -> Story:
    return _Fate(seed).tell()


class _Fate:
    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._dice = Random(seed)
        self._deeds: list[Deed] = []
        self._at = 0.0
        self._setup = self._cluster()
        self._names = self._setup.directors

    def _cluster(self) -> Setup:
        dice = self._dice
        size = dice.choices((2, 3, 4, 5, 6, 7), (40, 30, 10, 8, 6, 6))[0]
        names = [f"lb{number}" for number in range(1, size + 1)]
        priorities = {name: dice.choice((1, 50, 100, 100, 150, 200, 254)) for name in names}
        shape = dice.choices(("one", "dual", "group", "two"), (50, 20, 15, 15))[0]
        arbiter = dice.random() < 0.2
        version = 2 if shape != "dual" and dice.random() < 0.05 else 3
        return Setup(
            priorities=priorities,
            shape=shape,
            interval=1.0 if version == 2 else dice.choice(INTERVALS),
            preempt=dice.choice((None, None, 0.0, 0.5, 2.0)),
            version=version,
            unicast=shape != "dual" and dice.random() < 0.2,
            loopback=dice.random() < 0.7,
            linger=dice.choice((0.05, 0.05, 0.0, 0.2)),
            arbiter=arbiter,
            strict=arbiter and dice.random() < 0.3,
            drift={name: round(dice.uniform(-0.001, 0.001), 5) for name in names},
        )

    def tell(self) -> Story:
        self._do("start")
        self._settle()
        for _ in range(DEEDS):
            self._befall()
            self._wait()
        self._mend_all()
        self._settle()
        return Story(self._setup, tuple(sorted(self._deeds, key=lambda deed: deed.at)), round(self._at, 4), self._seed)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _do(self, *words: str, after: float = 0.0) -> None:
        self._deeds.append(Deed(round(self._at + after, 4), words))

    def _intervals(self, least: float, most: float) -> float:
        return self._dice.uniform(least, most) * self._setup.interval

    def _settle(self) -> None:
        self._at += SETTLING * self._setup.interval + 0.6 + self._intervals(0, 1)

    def _wait(self) -> None:
        kind = self._dice.random()
        if kind < 0.3:
            self._at += self._intervals(0, 1.5)
        elif kind < 0.7:
            self._at += self._intervals(1, 8)
        else:
            self._settle()

    def _who(self) -> str:
        """One by name. What is begun with one is ended with the same, so `active` will not do."""
        return self._dice.choice(self._names)

    def _mend_all(self) -> None:
        self._do("heal")
        self._do("weather", "calm")
        self._do("back")
        for name in self._names:
            self._do("maintenance", name, "off")
            for verb in ("resume", "thaw", "plug", "accept", "cure", "clear", "ready"):
                self._do(verb, name)
            self._do("plug", name, "eth1")
            self._do("power", name, "on")
            self._do("start", name, after=0.001)
        self._at += 0.01

    def _befall(self) -> None:
        kinds = {
            self._dies: 30,
            self._leaves: 20,
            self._stands_still: 16,
            self._splits: 20,
            self._weathers: 6,
            self._unplugs: 8,
            self._meddles: 10,
            self._fails: 12,
            self._reloads: 12,
            self._orders: 40,
        }
        self._dice.choices(list(kinds), list(kinds.values()))[0]()

    def _dies(self) -> None:
        dice = self._dice
        kind = dice.random()
        if kind < 0.6:
            self._do("kill", dice.choice(("active", "active", self._who())), f"{self._intervals(0.5, 25):.3f}")
        elif kind < 0.75:
            name = self._who()
            self._do("kill-both", name)
            self._do("start", name, after=self._intervals(0.5, 20))
        elif kind < 0.9:
            name = self._who()
            self._do("power", name, "off")
            self._do("power", name, "on", after=self._intervals(1, 20))
        else:
            self._do("director", dice.choice(("active", self._who())))

    def _leaves(self) -> None:
        self._do("stop", self._dice.choice(("active", "active", self._who())))
        self._do("start", after=self._intervals(1, 25) + 0.6)

    def _stands_still(self) -> None:
        name, long = self._who(), self._intervals(0.5, self._dice.choice((4, 6, 12)))
        kind = self._dice.random()
        if kind < 0.5:
            self._do("freeze", name)
            self._do("thaw", name, after=long)
        else:
            self._do("pause", name, *(["clock"] if kind > 0.85 else []))
            self._do("resume", name, after=long)

    def _splits(self) -> None:
        dice, long = self._dice, self._intervals(0.5, self._dice.choice((5, 12, 30)))
        kind = dice.random()
        one, other = dice.sample(self._names, 2)
        arbiter = [ARBITER] if self._setup.arbiter else []
        if arbiter and kind < 0.3:
            missing = dice.sample(self._names, dice.randint(1, len(self._names)))
            self._do("cut", *missing, "|", *arbiter)
        elif kind < 0.6:
            names = [*self._names, *arbiter]
            dice.shuffle(names)
            bar = dice.randrange(1, len(names))
            self._do("cut", *names[:bar], "|", *names[bar:])
        elif kind < 0.8:
            self._do("block", one, other)
        elif self._setup.shape == "dual":
            self._do("block", one, other, dice.choice("46"))
        else:
            self._do("block", one, other)
            self._do("block", other, one)
        self._do("heal", after=long)

    def _weathers(self) -> None:
        dice = self._dice
        if dice.random() < DEAF:
            self._do("weather", f"deaf={dice.choice((20, 50, 80))}%")
            self._do("weather", "calm", after=self._intervals(5, 60))
            return
        words = [f"loss={dice.choice((1, 5, 20, 40))}%", f"twice={dice.choice((0, 2, 10))}%"]
        words += [f"garbage={dice.choice((0, 1, 5))}%"]
        shortest = dice.choice((0.1, 0.5))
        longest = dice.choice((shortest, 2.0, 50 * self._setup.interval))
        self._do("weather", *words, f"delay={shortest:g}ms..{max(shortest, longest):g}ms")
        self._do("weather", "calm", after=self._intervals(5, 30))

    def _unplugs(self) -> None:
        name = self._who()
        device = "eth1" if self._setup.shape == "group" and self._dice.random() < 0.5 else "eth0"
        self._do("unplug", name, device)
        if self._dice.random() < 0.3:  # it flaps
            at = 0.0
            for _ in range(self._dice.randint(1, 5)):
                at += self._intervals(0.02, 2)
                self._do("plug", name, device, after=at)
                at += self._intervals(0.02, 2)
                self._do("unplug", name, device, after=at)
            self._do("plug", name, device, after=at + self._intervals(0.02, 4))
        else:
            self._do("plug", name, device, after=self._intervals(0.2, 12))

    def _meddles(self) -> None:
        kind, name = self._dice.random(), self._who()
        if kind < 0.5:
            self._do("steal", self._dice.choice(("active", name)))
        elif kind < 0.7:
            self._do("overflow", name)
        else:
            self._do("refuse", name)
            self._do("accept", name, after=self._intervals(0.5, 15))

    def _fails(self) -> None:
        kind, name = self._dice.random(), self._who()
        if kind < 0.1:
            self._do("cripple", self._dice.choice(("active", name)))
            for each in self._names:
                self._do("cure", each, after=self._intervals(5, 60))
            return
        first, last = ("fault", "clear") if kind < 0.6 else ("unready", "ready")
        self._do(first, name)
        self._do(last, name, after=self._intervals(0.5, 20))

    def _orders(self) -> None:
        dice = self._dice
        if dice.random() < 0.75:
            heir = [self._who()] if dice.random() < 0.3 else []
            self._do("switchover", dice.choice(("active", "active", "active", self._who())), *heir)
            if dice.random() < 0.7:
                self._do("back", after=self._intervals(5, 60))
        else:
            name = self._who()
            self._do("maintenance", name, "on")
            self._do("maintenance", name, "off", after=self._intervals(3, 30))

    def _reloads(self) -> None:
        dice = self._dice
        kind = dice.random()
        if kind < 0.6:
            self._do("reload", self._who(), f"priority={dice.choice((1, 60, 100, 120, 180, 254))}")
        elif kind < 0.9:
            self._do("reload", "all", f"preempt={dice.choice(('on', 'off', '0.3'))}")
        elif self._setup.version == 3:
            shorter = self._setup.interval * dice.choice((0.5, 1.0))
            for name in self._names:
                self._do("reload", name, f"interval={shorter:g}", after=self._intervals(0, 3))
