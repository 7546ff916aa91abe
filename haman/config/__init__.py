"""The operator's YAML file -> the model's Cluster, or every mistake in it with its place and cure.

    source       bytes -> text                  tree       text -> plain values with places
    shape/       what the file looks like       forms/     how one value is written
    explain      schema errors -> mistakes      rules/     what several settings must agree on
    view         references followed            build      the file -> Cluster
    keys         the secrets' files, on this machine
    examination  all of that in one go          node       which director is this machine?
    json_schema  for editors and for explain    reference  the reference page

Everything that can be wrong with a file ends in one ConfigError that holds all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from haman.config import keys, source
from haman.config.examination import Examination, examine
from haman.config.json_schema import schema
from haman.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from haman.model.cluster import Cluster

DEFAULT_FILE = "/etc/haman/haman.yaml"


def load(path: str | Path) -> Cluster:
    """The cluster of the file at `path`. ConfigError when it cannot be read or holds mistakes."""
    return _cluster(examine(source.read(path)))


def parse(text: str, name: str) -> Cluster:
    """The cluster that `text` describes; `name` is its file's, for messages. ConfigError as above."""
    return _cluster(examine(source.from_text(text, name)))


def _cluster(examination: Examination) -> Cluster:
    if examination.cluster is None:
        raise ConfigError([str(mistake) for mistake in examination.mistakes])
    return examination.cluster


__all__ = ["DEFAULT_FILE", "Examination", "examine", "keys", "load", "parse", "schema", "source"]
