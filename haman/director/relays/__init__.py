"""The relay, seen from the director: what it is to do, its sockets, its process, what it tells."""
