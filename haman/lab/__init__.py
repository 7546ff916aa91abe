"""The laboratory: a whole cluster as network namespaces on a real kernel with IPVS.

kernels and build find or make the kernel, machine runs a command under it, hosts makes the cluster inside;
traffic, drills and reports stand on those.
"""
