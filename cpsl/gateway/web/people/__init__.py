"""The pages on which people of an app sign up, in and out, and look after their account."""
