"""Who is active? One virtual router at a time, as a function of what was heard, what is tracked, and the time.

Pure: an event and `now` go in, effects and one deadline come out. `events` and `effects` are the vocabulary,
`router` holds every transition, `parameters` the arithmetic of RFC 9568, `tracking` what links mean.
"""
