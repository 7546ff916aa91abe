"""Small real clients and servers of the lab, one file each: `python -m haman.lab.traffic.NAME ...` in a host.

They import little, because Python starts on one slow virtual CPU beside everything else, and they make few
system calls, because there each one is dear (about 10 us, and no call for the time is free). Clients write what
happened as lines (recording.py) that `lab.records` reads; servers keep nothing.
"""
