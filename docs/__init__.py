"""The pages that are made of the code, and the completion scripts: ``python -m docs`` writes them anew."""
