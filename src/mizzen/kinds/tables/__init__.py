"""Facts of upstream's types, one JSON file a package, and of its resources: `resources.json`.

`scripts/derive_tables.py` writes them; nobody edits them. `kinds/upstream.py` reads them.
"""
