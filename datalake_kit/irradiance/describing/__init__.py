"""What the files of a product look like, and which of their cells stand for points."""
