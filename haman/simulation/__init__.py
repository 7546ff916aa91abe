"""A cluster of directors on paper: the elector's own code under simulated time, network, kernel and fate.

    story (text, or made from a seed) --> world --> electors (elector.process, as it is) on paper machines
                                            |  network, hosts, neighbours, director processes
                                            '--> invariants, after every step --> trace, verdict

What runs is `haman.elector.process.Elector` with engine, keeper and announcer, on a loop of its own each; what is of
paper is what `haman.elector.machine` names. Nothing here reads a clock or a random number but the story's own, so a
seed gives the same run, to the letter.
"""
