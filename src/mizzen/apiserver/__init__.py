"""The Kubernetes API over HTTPS: reads, writes, watches, plans, history.

A request goes along a chain: authenticators, authorizers, admission plug-ins, each found by name in
a folder. `core/` decides (routing, permissions, patches, tables, garbage); the modules here do the
I/O over a `Store`. Deliberately lacks: knowledge of any particular kind beyond pods and namespaces
(kinds and admission plug-ins say the rest) and any reconciling except deletion.
"""
