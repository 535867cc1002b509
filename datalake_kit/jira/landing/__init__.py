"""Issues as AppFlow lands them: which files, which rows, which version is the newest."""
