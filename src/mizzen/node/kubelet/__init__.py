"""The agent's own API, one file for each path, as the kubelet's: how the API server reaches pods.

HANDLERS names the first part of a path and who answers it; the rest of the path and the parameters
are the handler's.
"""
