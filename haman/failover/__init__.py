"""Which site serves a service: its local servers, or a backup elsewhere. Pure: time comes in as `now`."""
