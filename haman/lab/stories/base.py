"""What a story is: an example of etc/examples on a topology of its own, and acts that prove what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from haman.lab.stories.scene import Scene


class Story:
    """name: on the command line. title: in the report. examples: the files of etc/examples that it runs, as they stand.

    packages: of packages.txt, what it takes beside haman. plants: faults that must turn it red, with what is wrong in
    words; those of `haman.lab.plants` that are a change of the file or a patch of haman are planted by the scene, any
    other the story plants itself where it asks `scene.planted(name)`. takes: seconds, roughly, to deal out the tests.
    sliced: whether every change is tested with it; it is for a release otherwise.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    examples: ClassVar[tuple[str, ...]]
    packages: ClassVar[tuple[str, ...]] = ()
    plants: ClassVar[Mapping[str, str]] = {}
    takes: ClassVar[float] = 40.0
    sliced: ClassVar[bool] = True

    def play(self, scene: Scene) -> None:
        """Build the hosts, start what runs on them, act, and say what must hold. It leaves everything as it is: the
        network goes with all that runs on it.

        Errors: LabError when the story could not even be told (a program does not start): it is broken then.
        """
        raise NotImplementedError
