"""A whole cluster on this machine for as long as it is wanted: `haman lab up`, `down` and what comes between.

    file: wiring    networks -> segments        inside the machine: running    hosts, and what runs on them
          layout    the file -> hosts, routes                       calls      questions from outside, answered
          duties    what real servers run                           execute    a program for somebody outside
    outside: folder       where it is kept                          inside     the machine's command
             keeper       holds the machine     between: frames     what goes over the line
             switchboard  many callers, one line         client     the callers' end

A user-mode kernel shares no socket with the machine it runs on, only a console: all questions go over that one line.
"""
