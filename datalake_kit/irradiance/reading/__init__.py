"""Values of cells out of one NetCDF file: the fast way, and netCDF4 for everything else."""
