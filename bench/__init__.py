"""Measurements against keepalived and ipvsadm, each by `python -m bench.NAME`.

    programming  1,000 services with 10 servers each: writing and reading the table, against ipvsadm
    lateness     how late advertisements are, on an idle and on a busy machine
    checks       what a health check costs
    footprint    start-up time and memory
    reload       reading 10,000 servers again, with one change and with none
    forwarding   requests a second by each forwarding method, against ipvsadm's table and HAProxy
    away         from the last local server's death to another site's first answer
    gap          how long clients wait at a cut, and what an orderly stop costs them

Each says in its docstring what it measures and how to read it. All numbers are ratios in the end: the peer runs in the
same run, on the same kernel, by turns. Nothing here is a test, and no test runs it.

    session     the frame: into the machine, back with the numbers     figures, tables   the numbers, and how they look
    programs    haman and keepalived as processes                      clusters          configurations for both
    processor   CPU time and memory of processes                       adverts           reading advertisements, timed
    methods     tables by forwarding method                            sites, load       where they stand, who asks
    responder, busy: programs that play servers and load
"""
