"""No module imports itself by way of others: not at run time, not for types, not inside functions."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp


def test_modules_import_without_cycles() -> None:
    graph = grimp.build_graph("mizzen", exclude_type_checking_imports=False)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 200
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise AssertionError(
            f"import cycle: {circle}; let the lower one name what it needs as a Protocol"
        ) from None
