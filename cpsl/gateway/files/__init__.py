"""Files: the named filesystems that apps mount, and the single files that users give to an app."""
