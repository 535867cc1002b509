"""Tables of points: how they lie, and how series are read back."""
