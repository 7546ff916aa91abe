"""What can befall a cluster: the words of a story, each a function of the world. Fate, operators, and the network.

start [LB]                 the service manager starts it (all of them)
stop LB                    an orderly stop of haman
kill LB [SECONDS]          the elector dies; it is started again after SECONDS (0.5)
kill-both LB               elector and director die at once; the VIP stays on the NIC; `start` brings it back
power LB off|on            the whole machine
freeze LB, thaw LB         the elector process stands still; packets wait in its sockets
pause LB [clock], resume LB    the machine stands still; with `clock` its monotonic clock does too
unplug LB [DEVICE], plug LB [DEVICE]
block LB LB [4|6]          what the first sends does not reach the second; `unblock` is the end of all blocks
cut LB... | LB...          nothing passes between the two sides; `heal` is the end of all cuts
weather calm | loss=5% deaf=50% twice=1% garbage=1% delay=1ms..5ms    deaf: of words to neighbours, and their answers
steal LB                   somebody deletes the VIPs from its NICs
refuse LB, accept LB       its kernel refuses to change addresses
overflow LB                notifications of its kernel are lost
director LB                its director process dies, and is started again
cripple LB, cure LB        its director process dies whenever it is started
unready LB, ready LB       as its director says
fault LB, clear LB         what it tracks fails
switchover LB [TO]         the operator moves what LB is active for to TO, or to the best that could serve
back [LB]                  LB may take again what it gave away (all of them)
maintenance LB on|off      LB is to be active nowhere
reload LB priority=N preempt=on|off|SECONDS interval=SECONDS    LB or `all`
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from haman.elector.child import BACK_OFF
from haman.kernel.addresses import Lost
from haman.model.transition import Role
from haman.simulation import orders
from haman.simulation.network import Weather
from haman.simulation.story import BadStory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from haman.simulation.world import World

RESTART = 0.5
RETRIED = 1.5
"""Seconds after a kernel that refused takes changes again until the elector has surely tried once more (it does so
each second)."""

RESTARTED = BACK_OFF[-1] + 0.1
"""Seconds until a director process that died has surely been started again, and has said what is ready."""

PATIENCE = 3
"""Intervals of silence after which a peer may have taken over (RFC 9568, section 6.1, with a skew of nothing)."""


def do(world: World, words: Sequence[str]) -> None:
    """Raises BadStory for what is no deed, or names nobody."""
    verb, *rest = words
    if verb not in DEEDS:
        raise BadStory(f"{verb!r} is none of {', '.join(DEEDS)}")
    named = [_who(world, word) for word in rest]
    if None in named:
        return  # nobody is active, or standby, at the moment
    said = [word for word in named if word is not None]
    world.note("", f"--- {' '.join([verb, *said])}")
    try:
        DEEDS[verb](world, said)
    except (IndexError, KeyError, ValueError) as error:
        raise BadStory(f"{' '.join(words)}: {error!r}") from error
    world.rewire()


def _who(world: World, word: str) -> str | None:
    """`active` and `standby` are of the first router."""
    router = world.setup.routers[0]
    if word == "active":
        return next(iter(world.active(router)), None)
    if word == "standby":
        return next((name for name in world.hosts if world.role(name, router) is Role.STANDBY), None)
    return word


def _start(world: World, names: Sequence[str]) -> None:
    for name in names or world.hosts:
        world.start(name)


def _stop(world: World, names: Sequence[str]) -> None:
    if (life := world.lively(names[0])) is not None:
        world.shake(names[0])
        life.stop()


def _kill(world: World, rest: Sequence[str]) -> None:
    name, after = rest[0], float(rest[1]) if len(rest) > 1 else RESTART
    life = world.life(name)
    if life is not None and world.hosts[name].running:
        world.died(name)
        life.die()
        if life.director is not None and life.director.pid is not None:
            life.director.elector_died()
        if life.director is None or not life.director.in_charge or world.hosts[name].refusing:
            world.abandoned.add(name)
        world.network.forget(name)
        world.timeline.after(after, lambda: world.start(name))


def _kill_both(world: World, names: Sequence[str]) -> None:
    if (life := world.life(names[0])) is not None and world.hosts[names[0]].running:
        world.died(names[0])
        life.die()
        if life.director is not None:
            life.director.perish()
        world.abandoned.add(names[0])


def _power(world: World, rest: Sequence[str]) -> None:
    name, on = rest[0], rest[1] == "on"
    host = world.hosts[name]
    if on is host.on:
        return
    world.died(name)
    if on:
        host.power(on=True)
        world.start(name)
        return
    _resume(world, [name])
    if (life := world.life(name)) is not None:
        life.die()
    host.power(on=False)
    world.network.forget(name)


def _freeze(world: World, names: Sequence[str]) -> None:
    world.shake(*names)
    if (life := world.lively(names[0])) is not None:
        life.frozen = True
        host, director = world.hosts[names[0]], life.director
        if host.refusing or host.crippled or director is None or director.pid is None:
            world.abandoned.add(names[0])
        if life.director is not None:
            life.director.elector_froze()


def _thaw(world: World, names: Sequence[str]) -> None:
    life = world.life(names[0])
    if life is not None and life.frozen:
        world.shake(*names)
        world.reclaim(names[0])
        life.frozen = False
        _stalled(world, names[0])
        life.turn()


def _pause(world: World, rest: Sequence[str]) -> None:
    host = world.hosts[rest[0]]
    if host.running:
        world.shake(rest[0])
        host.paused = True
        if (life := world.life(rest[0])) is None or life.frozen:
            world.abandoned.add(rest[0])  # whoever was about to take the VIP off stands still with the rest
        world.network.forget(rest[0])
        if "clock" in rest:
            host.clock.stop()


def _resume(world: World, names: Sequence[str]) -> None:
    host = world.hosts[names[0]]
    if not host.paused:
        return
    world.shake(*names)
    host.paused = False
    host.clock.go_on()
    if (life := world.life(names[0])) is not None:
        life.deafen()
        _stalled(world, names[0])
        life.turn()
    host.catch_up()


def _stalled(world: World, name: str) -> None:
    """If by its own clock it was silent for longer than its peers' patience, it must listen before it speaks."""
    life, host = world.lives[name], world.hosts[name]
    for vrid, said in life.speaks.items():
        router = world.vrid_router[vrid]
        silent = host.clock() - life.spoke_clock.get(vrid, host.clock())
        if silent > PATIENCE * life.interval and life.role(router) is Role.ACTIVE and said > 0:
            life.stalled.add(vrid)


def _unplug(world: World, rest: Sequence[str]) -> None:
    _link(world, rest, up=False)


def _plug(world: World, rest: Sequence[str]) -> None:
    _link(world, rest, up=True)


def _link(world: World, rest: Sequence[str], *, up: bool) -> None:
    name, device = rest[0], rest[1] if len(rest) > 1 else "eth0"
    host = world.hosts[name]
    if host.carrier[device] is not up:
        world.shake(name)
        host.link(device, up=up)
        _turn(world, name)


def _block(world: World, rest: Sequence[str]) -> None:
    sender, receiver, *versions = rest
    world.shake(sender, receiver)
    world.network.blocked.update((sender, receiver, int(version)) for version in versions or ("4", "6"))


def _cut(world: World, rest: Sequence[str]) -> None:
    bar = rest.index("|")
    here, there = rest[:bar], rest[bar + 1 :]
    world.shake(*here, *there)
    for one, other, version in product(here, there, (4, 6)):
        world.network.blocked |= {(one, other, version), (other, one, version)}
    # Neighbours that hear nothing of the director they believe in ask for it, and find nobody.
    believed = world.network.believed
    for place, ip in [key for key, name in believed.items() if (name, key[0], 4) in world.network.blocked]:
        del believed[place, ip]


def _heal(world: World, _: Sequence[str]) -> None:
    world.shake(*world.hosts)
    world.network.blocked.clear()


def _weather(world: World, rest: Sequence[str]) -> None:
    world.shake(*world.hosts)
    if list(rest) == ["calm"]:
        world.network.weather = Weather()
        return
    said = dict(word.split("=") for word in rest)
    shares = {
        name: float(said[name].rstrip("%")) / 100 for name in ("loss", "deaf", "twice", "garbage") if name in said
    }
    shortest, longest = (float(part.rstrip("ms")) / 1000 for part in said.get("delay", "0.2ms..0.2ms").split(".."))
    world.network.weather = Weather(delay=(shortest, longest), **shares)
    world.longest_delay = max(world.longest_delay, longest)


def _steal(world: World, names: Sequence[str]) -> None:
    host = world.hosts[names[0]]
    if host.running:
        world.shake(*names)
        for key in [key for key in host.addresses if key.ip in world.vip_router and key.device != "lo"]:
            host.steal(key)
        _turn(world, names[0])


def _refuse(world: World, names: Sequence[str]) -> None:
    world.shake(*names)
    world.hosts[names[0]].refusing = True


def _accept(world: World, names: Sequence[str]) -> None:
    host = world.hosts[names[0]]
    if host.refusing:
        host.refusing = False
        world.shake(names[0], during=RETRIED)


def _director(world: World, names: Sequence[str]) -> None:
    life = world.life(names[0])
    if life is not None and life.director is not None and world.hosts[names[0]].running and not life.frozen:
        world.shake(*names)
        if not life.director.in_charge:
            world.abandoned.add(names[0])  # until the next one has read the file
        life.director.die("was killed by SIGKILL", -9)


def _cripple(world: World, names: Sequence[str]) -> None:
    life = world.lively(names[0])
    if life is not None and life.director is not None:
        world.hosts[names[0]].crippled = True
        if not life.director.in_charge:
            world.reclaim(names[0])
        _director(world, names)


def _cure(world: World, names: Sequence[str]) -> None:
    host = world.hosts[names[0]]
    if host.crippled:
        host.crippled = False
        world.shake(names[0], during=RESTARTED)


def _unready(world: World, names: Sequence[str]) -> None:
    _say_ready(world, names[0], ready=False)


def _ready(world: World, names: Sequence[str]) -> None:
    _say_ready(world, names[0], ready=True)


def _say_ready(world: World, name: str, *, ready: bool) -> None:
    if (life := world.life(name)) is not None and life.director is not None:
        world.shake(name)
        life.ready = ready
        life.director.report()


def _fault(world: World, names: Sequence[str]) -> None:
    _judge(world, names[0], fault=True)


def _clear(world: World, names: Sequence[str]) -> None:
    _judge(world, names[0], fault=False)


def _judge(world: World, name: str, *, fault: bool) -> None:
    if (life := world.life(name)) is not None and life.director is not None:
        world.shake(name)
        life.fault = fault
        life.director.judge()
        if not fault:
            life.director.report()


def _switchover(world: World, rest: Sequence[str]) -> None:
    giver, heir = rest[0], rest[1] if len(rest) > 1 else "best"
    if refused := orders.switch_over(world, giver, heir):
        world.note(giver, f"refuses: {refused}")
    else:
        world.shake(giver)


def _back(world: World, names: Sequence[str]) -> None:
    """A machine that stands still takes no orders; one whose elector does, does."""
    for name in names or world.hosts:
        if not world.hosts[name].running:
            continue
        world.shake(name)
        world.hosts[name].given.clear()
        if (life := world.life(name)) is not None and life.director is not None:
            life.director.report()


def _maintenance(world: World, rest: Sequence[str]) -> None:
    """An order that is refused for want of a successor is forced."""
    name, on = rest[0], rest[1] == "on"
    life = world.lively(name)
    if life is None or life.director is None or not life.director.in_charge:
        return
    world.shake(name)
    world.hosts[name].maintenance = on
    life.director.obey()
    if not on:
        life.director.report_soon()


def _reload(world: World, rest: Sequence[str]) -> None:
    name, *settings = rest
    names = list(world.hosts) if name == "all" else [name]
    said = dict(word.split("=") for word in settings)
    for each in names:
        setup = world.setups[each]
        if "priority" in said:
            setup = replace(setup, priorities={**setup.priorities, each: int(said["priority"])})
        if "preempt" in said:
            value = said["preempt"]
            setup = replace(setup, preempt=None if value == "off" else 0.0 if value == "on" else float(value))
        if "interval" in said:
            setup = replace(setup, interval=float(said["interval"]))
            world.longest_interval = max(world.longest_interval, setup.interval)
        world.setups[each] = setup
        world.shake(each)
        if (life := world.life(each)) is not None and life.director is not None and life.director.in_charge:
            life.director.configure()
            life.director.report()


def _turn(world: World, name: str) -> None:
    if (life := world.lively(name)) is not None:
        life.turn()


def _overflow(world: World, names: Sequence[str]) -> None:
    """Notifications of its kernel get lost (ENOBUFS)."""
    host = world.hosts[names[0]]
    if host.news is not None:
        host.news[:] = [Lost()]
        _turn(world, names[0])


DEEDS: dict[str, Callable[[World, Sequence[str]], None]] = {
    "start": _start,
    "stop": _stop,
    "kill": _kill,
    "kill-both": _kill_both,
    "power": _power,
    "freeze": _freeze,
    "thaw": _thaw,
    "pause": _pause,
    "resume": _resume,
    "unplug": _unplug,
    "plug": _plug,
    "block": _block,
    "unblock": _heal,
    "cut": _cut,
    "heal": _heal,
    "weather": _weather,
    "steal": _steal,
    "refuse": _refuse,
    "accept": _accept,
    "overflow": _overflow,
    "director": _director,
    "cripple": _cripple,
    "cure": _cure,
    "unready": _unready,
    "ready": _ready,
    "fault": _fault,
    "clear": _clear,
    "switchover": _switchover,
    "back": _back,
    "maintenance": _maintenance,
    "reload": _reload,
}
