"""What virtual routers depend on beside interfaces: looked at here, and told to the elector as verdicts.

Each kind of thing has a file that says how one looks at it: an endless series of Looks, one at least every `interval`,
and at once where the kernel tells of a change. What a Look means is `judge`'s to say; `trackers` joins them.
"""
