"""Rules of custom resources (`x-kubernetes-validations`), compiled and run with CEL.

A structural schema is declared as types (`declared_types`), its rules are compiled against them
(`compiling`) and checked when the definition is written (`definition`), and run on each object that
is written (`running`).

Deliberately lacks: rules within allOf (refused), and estimates of what a rule may cost, which
upstream refuses definitions by; here the bill of each request decides.
Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel, v0.36; KEP-2876, KEP-4008.
"""
