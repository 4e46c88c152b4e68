"""What the verbs say, as pure functions over API objects."""
