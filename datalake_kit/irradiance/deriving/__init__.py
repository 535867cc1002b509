"""From power to energy and to the figures of a site. Frames in, frames out."""
