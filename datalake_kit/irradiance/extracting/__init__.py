"""From folders of files to days of points: listed, read, written, accounted for."""
