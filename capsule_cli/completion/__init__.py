"""Completion scripts for bash, zsh and fish, made of the commands themselves.

Commands and options are words of the script: nothing is started for them. Names of apps, secrets and so on come from
``capsule __complete`` (``names.py``), which is silent after 300 ms whatever the gateway does.
"""
