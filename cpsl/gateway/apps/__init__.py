"""Apps and their versions: deploying them, finding the live one, keeping their logs."""
