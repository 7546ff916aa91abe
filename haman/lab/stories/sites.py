"""What stories of other sites look at: which site serves, and how the backup is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from haman.director.ask import ask

if TYPE_CHECKING:
    from haman.lab.stories.directors import Directors


def site(pair: Directors, director: str, service: str) -> dict[str, Any]:
    """What this director says of the service."""
    return next(each for each in pair.status(director)["services"] if each["name"] == service)


def checked(pair: Directors, director: str, service: str) -> str:
    """How its first backup is: up, down, unknown."""
    return str(site(pair, director, service)["backups"][0]["state"])


def serving(pair: Directors, service: str) -> set[str]:
    """The sites that serve it, by all directors that run."""
    names = (name for name, node in pair.nodes.items() if node.running)
    return {str(site(pair, name, service)["site"]["serves"]) for name in names}


def sites_of(pair: Directors, director: str, service: str) -> list[str]:
    """The sites that this director has named, one after the other."""
    answer = pair.hosts[director].call(ask, "history", object=service)
    return [each["after"] for each in answer["entries"] if each["kind"] == "site"]


def use(pair: Directors, wish: str, service: str) -> None:
    """`haman site use`, on the active director."""
    pair.hosts[pair.active()].call(ask, "site", service=service, order=wish)
