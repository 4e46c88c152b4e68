"""The node agent: publishes this machine's devices and runs pods on it.

`core/` decides (pure), `runtimes/` run the pods, the modules beside them do the I/O. Deliberately
lacks: container images, mount and network namespaces.
"""
