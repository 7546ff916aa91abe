"""The stories of the LVS HOWTO, one file each: a cluster as somebody wanted it, run from its example and proved.

A story says what stands where and what happens; everything it shares with others is in base, scene, directors, servers
and callers. docs/explanation/laboratory.md tells how to write one.
"""
