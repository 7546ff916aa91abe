"""Reading the file, for the first time and again: everything that takes long about it, to be done in a thread.

What comes out of a second reading is a Change: what is new of everything that has to be told, worked out beside the
loop, so that taking it on costs the loop only what has really changed. What is equal is the old object itself.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from haman import config, files, paths
from haman.config import node as nodes
from haman.director import changes, planning, startable
from haman.director.digest import of_cluster
from haman.director.inheritance import heirs
from haman.director.slice import slice_for
from haman.errors import ConfigError
from haman.observe.journal import log
from haman.plan.ownership import of_director

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from haman.config import Examination
    from haman.director.changes import Difference
    from haman.model.authentication import Credentials
    from haman.model.cluster import Cluster
    from haman.model.elector import ElectorConfig
    from haman.model.kernel import Kernel, Key
    from haman.model.services import Service, Target
    from haman.plan.ownership import Ownership

T = TypeVar("T")

SWITCH = 0.0005
"""Seconds after which the reading thread gives way to the loop; Python's own 5 ms would make checks late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A file that was read and is fine. digest: of what it means, the same on every director that lives by the same.
    modified: the file's time stamp, wall-clock seconds; 0 if it cannot be had. text: until it is `remember`ed.
    credentials: what was read from the keys' files, None where the cluster has no authentication."""

    cluster: Cluster
    node: str
    digest: str
    modified: float
    text: str = field(default="", repr=False)
    credentials: Credentials | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From one configuration to the next. services: those this node has a part in that are new or other than before.
    gone: the old forms of those, and what is left out. heirs: for each new target, the old one whose health it takes
    over. serves: of those without one, what the kernel serves already, with its weight. forgotten, dropped: targets,
    and services by name, that are in no configuration any more."""

    loaded: Loaded
    slice: ElectorConfig
    difference: Difference
    services: tuple[Service, ...]
    gone: tuple[Service, ...]
    heirs: Mapping[Target, Target]
    serves: Mapping[Target, int]
    forgotten: tuple[Target, ...]
    dropped: tuple[str, ...]
    ownership: Ownership

    @property
    def nothing(self) -> bool:
        return not self.difference


def load(file: Path, override: str | None) -> Loaded:
    """override: what `--node` says. Raises ConfigError, NodeUnknown."""
    source = config.source.read(file)
    examination = config.examine(source)
    if examination.cluster is None:
        raise ConfigError([str(mistake) for mistake in examination.mistakes])
    try:
        modified = file.stat().st_mtime
    except OSError:
        modified = 0.0
    cluster = examination.cluster
    node = nodes.find(cluster, override)
    for words in startable.findings(cluster, node):
        log.warning("%s", words)
    return Loaded(
        cluster=cluster,
        node=node,
        digest=of_cluster(cluster),
        modified=modified,
        text=source.text,
        credentials=_credentials(examination, cluster),
    )


def _credentials(examination: Examination, cluster: Cluster) -> Credentials | None:
    """Raises ConfigError: a director without its keys would be deaf, and refused by all others."""
    if cluster.authentication is None:
        return None
    credentials, findings = config.keys.read(cluster.authentication)
    if findings:
        raise ConfigError([str(examination.located(finding)) for finding in findings])
    return credentials


def remember(loaded: Loaded) -> Loaded:
    """Keep its text for a director that is started anew while the file is wrong. Returns it without."""
    kept = paths.running_configuration()
    try:
        files.replace(kept, loaded.text, mode=0o600)
    except OSError as error:
        log.warning("the running configuration cannot be kept for a new director: %s", error)
    return replace(loaded, text="")


def change(old: Loaded, new: Loaded, current: ElectorConfig, *, held: Kernel, remembered: Collection[Key]) -> Change:
    """held: what the kernel is believed to hold. remembered: what was made in IPVS."""
    new = replace(new, cluster=_sharing(new.cluster, old.cluster))
    before = {service.name: service for service in old.cluster.services_of(old.node)}
    after = {service.name: service for service in new.cluster.services_of(new.node)}
    fresh = tuple(service for name, service in after.items() if service is not before.get(name))
    gone = tuple(service for name, service in before.items() if service is not after.get(name))
    some = replace(new.cluster, services={service.name: service for service in fresh})
    fresh, gone = _with_pools(fresh), _with_pools(gone)
    kept = {each.name for service in after.values() for each in service.checked()}
    inherited = heirs(gone, fresh)
    wanted = slice_for(new.cluster, new.node, current.generation + 1, new.credentials)
    targets = {target for service in fresh for target, _ in service.targets()}
    serves = {
        target: weight for target, weight in planning.served(some, new.node, held).items() if target not in inherited
    }
    return Change(
        loaded=new,
        slice=wanted,
        difference=changes.between(old, new),
        services=fresh,
        gone=gone,
        heirs=inherited,
        serves=serves,
        forgotten=tuple(target for service in gone for target, _ in service.targets() if target not in targets),
        dropped=tuple(service.name for service in gone if service.name not in kept),
        ownership=of_director(new.cluster, new.node, remembered),
    )


def _with_pools(services: Iterable[Service]) -> tuple[Service, ...]:
    return tuple(each for service in services for each in service.checked())


def _sharing(new: Cluster, old: Cluster) -> Cluster:
    """`new` with the old objects in the places of equal ones: comparing them again costs nothing then."""
    services = {name: _same(old.services.get(name), service) for name, service in new.services.items()}
    routers = {name: _same(old.routers.get(name), router) for name, router in new.routers.items()}
    return replace(new, services=services, routers=routers)


def _same(old: T | None, new: T) -> T:
    return old if old is not None and old == new else new


@contextmanager
def gently() -> Iterator[None]:
    """Around everything a reload does, on the loop's side. The thread gives way often, and the garbage collector does
    not look through a hundred thousand new objects in the middle of it; they live on, so it never does."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        sys.setswitchinterval(interval)


def state_of(file: Path) -> float | None:
    """The file's time stamp now; None if there is none."""
    try:
        return os.stat(file).st_mtime
    except OSError:
        return None
