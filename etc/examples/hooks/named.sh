#!/bin/sh
# Tells BIND to look again which addresses there are: it binds them one by one, and has seen those alone that were there
# when it looked last. It reads its configuration and changed zones too, and loses no question. Needs the right to
# signal named: `user: root`, or named's own user.
pidfile=${PIDFILE:-/run/named/named.pid}

if [ -r "$pidfile" ]; then
    kill -HUP "$(cat "$pidfile")"
fi
