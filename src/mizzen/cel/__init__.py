"""CEL as of Kubernetes 1.36: types, functions, costs.

Text becomes a tree (lexer, parser, macros), is typed (types, declarations, checker) by what its
environment declares, becomes a program (planner, steps, attributes) that runs on values with a bill
(cost) and the functions of library and the modules it names. What it can cost at most is told
without values, from the sizes that its variables may have (estimate).

Written here because upstream decides by what an expression costs, and no runtime for Python
counts that. Deliberately lacks: protocol buffer messages.
"""
