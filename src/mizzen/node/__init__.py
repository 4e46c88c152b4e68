"""The node agent: publishes this machine's devices and runs pods on it as processes.

`core/` decides (pure), `shim/` is the tiny parent of all pod processes, the modules beside
them do the I/O. Deliberately lacks: container images, mount and network namespaces.
"""
