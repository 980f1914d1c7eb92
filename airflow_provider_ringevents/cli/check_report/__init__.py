"""``ringevents check --report``: the behaviour of the service beside the assumptions of this package.

A survey reads what the key can see (``survey``), through a session that lists each request (``session``). Each probe
reads one line out of it (``probes``), under the id of the contract's note on the assumption.
"""
