"""Who set which field of an object, and server-side apply, as pure functions.

A set of fields has the form that the API gives it (`fieldsV1`): a tree of path elements,

    f:NAME       a field, or a key of a map        k:{"name":"a"}   an item of a list by its keys
    v:VALUE      an item of a set                  .                the parent itself

An element without children is in the set; one with children is, if it has a `.` among them.

Source: KEP-555; sigs.k8s.io/structured-merge-diff; apimachinery `util/managedfields`.
"""
