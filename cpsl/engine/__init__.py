"""Engines start and keep runtimes: ``local`` on this machine. The gateway knows them by the protocols only."""
