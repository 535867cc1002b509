"""How issues hang together, and the lists inside them as tables."""
