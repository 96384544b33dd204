"""The command line, ``vaetheory train``, ``evaluate``, ``reproduce``; needs the extra ``cli``."""
