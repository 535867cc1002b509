"""What changed in issues and when, and how long they were in each status."""
