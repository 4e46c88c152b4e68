"""The verbs' output, as pure functions over API objects."""
