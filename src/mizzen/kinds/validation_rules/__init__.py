"""Rules of custom resources (`x-kubernetes-validations`), compiled and run with CEL.

A structural schema is declared as types (`declared_types`), its rules are compiled against them
(`compiling`), checked when the definition is written (`definition`), also for what they may cost
(`estimates`), and run on each object that is written (`running`).

Deliberately lacks: rules within allOf (refused).
Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel, v0.36; KEP-2876, KEP-4008.
"""
