"""The drills, one short file each: what is done to the cluster, and the limits it must keep meanwhile."""
