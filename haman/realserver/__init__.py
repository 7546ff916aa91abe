"""A real server's side of a cluster: VIPs that answer nobody, tunnels that are unwrapped.

    identity   which servers of the file this machine is      level      bring the kernel there, keep it, undo it
    settings   what kernel settings were before               commands   the same as plain commands
    service    stay, and put back what somebody removes

What must be there is plan.realserver; how it gets there is the director's own way: dump, diff, operations. Nothing here
elects, checks or balances, and no director is needed: the cluster's file says it all.
"""
