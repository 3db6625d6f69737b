"""The core: decisions only. No socket, no clock, no framework, no environment.

Time and randomness are arguments. Imports point down:
codec < record < keys < seal < token < session < engine.
"""
