"""Where the sun stands, and what is wrong with a series. Frames in, frames out."""
