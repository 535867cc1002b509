"""People and free text replaced by pseudonyms."""
