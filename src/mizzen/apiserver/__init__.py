"""The Kubernetes API over HTTPS: reads, writes, watches, plans, history.

`core/` decides (routing, authorization, admission, patches, tables, garbage); the modules
here do the I/O over a `Store`. Deliberately lacks: knowledge of any particular kind beyond
pods and namespaces (kinds say the rest) and any reconciling except deletion.
"""
